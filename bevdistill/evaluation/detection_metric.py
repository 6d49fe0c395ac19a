"""Score detections on any data and classes by nuScenes' rules, with the ground truth of the information file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.utils import center_distance
from nuscenes.eval.detection.algo import accumulate, calc_ap, calc_tp
from terminaltables import AsciiTable

from ..datasets.categories import CategoryMap
from ..datasets.infos import read_infos
from ..for_people import counted
from .ground_truth import devkit_boxes, eval_boxes, truth_boxes, within
from .groups import distance_bands
from .nuscenes_summary import TP_ERRORS
from .splits import part_of

MEASURED = {error: short for error, short in TP_ERRORS.items() if error != 'attr_err'}
"""Boxes of any data have no attributes."""
TABLE_DISTANCE = 2.0
"""Metres; the distance at which the devkit matches boxes whose errors it reports."""


@METRICS.register_module()
class BEVDetectionMetric(BaseMetric):
    """AP and true-positive errors of nuScenes' detection task without the tables of nuScenes.

    Predictions and ground truth are matched by the distance of their centres on the ground and AP is integrated by the
    devkit's own functions. The ground truth is the information file's: valid boxes of the data set's classes, in the
    samples that were predicted and within range.

    Reports ``mAP, mATE, mASE, mAOE, mAVE``, ``AP_<metres>`` (means over the classes that have ground truth),
    ``<class>_AP`` and ``<class>_AP_2.0``, behind the prefix ``detection/``, and logs a table per class. There are no
    attributes, hence no NDS. Bands of distance add ``mAP_<from>-<to>m`` and the like of the errors, and
    ``<class>_AP_<from>-<to>m``. Where samples of the information file were not predicted, how many and which is
    reported too (:func:`bevdistill.evaluation.splits.part_of`).

    Args:
        ann_file: Information file; a relative path that does not exist is looked up under `data_root`.
        data_root: Data root.
        class_range: Metres from the ego car within which boxes count: one number or one per class; None for no limit.
        point_cloud_range: Boxes whose centre lies outside (x and y, LiDAR frame, metres) do not count; None: all do.
        bands: Edges of distance bands, metres from the ego car, such as ``[0, 20, 40]``, which are scored too.
        prefix: Of the reported names.
        **kwargs: Of mmengine's metric.

    Raises:
        ValueError: If `bands` do not increase from 0 on; when scoring, if a prediction is of a sample that the
            information file lacks.
    """

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        class_range: float | Mapping[str, float] | None = None,
        point_cloud_range: Sequence[float] | None = None,
        bands: Sequence[float] = (),
        prefix: str | None = 'detection',
        **kwargs: Any,
    ) -> None:
        super().__init__(prefix=prefix, **kwargs)
        if bands and (len(bands) < 2 or bands[0] < 0 or any(low >= high for low, high in pairwise(bands))):
            raise ValueError(f'bands: expected two or more metres from 0 on that increase, got {list(bands)}')
        if not os.path.exists(ann_file) and not os.path.isabs(ann_file):
            ann_file = os.path.join(data_root, ann_file)
        self.ann_file = ann_file
        self.class_range = class_range
        self.point_cloud_range = point_cloud_range
        self.bands = bands
        self.config = config_factory('detection_cvpr_2019')

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what scoring needs of a batch of predictions."""
        for sample in data_samples:
            boxes = sample['pred_instances_3d']
            predicted = {key: boxes[key].to('cpu') for key in ('bboxes_3d', 'scores_3d', 'labels_3d')}
            self.results.append({'token': sample['token'], 'predicted': predicted})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Score all predictions."""
        content = read_infos(self.ann_file)
        infos = {info['token']: info for info in content['data_list']}
        unknown = [result['token'] for result in results if result['token'] not in infos]
        if unknown:
            raise ValueError(
                f'{self.ann_file} lacks {counted(len(unknown), "predicted sample")}, the first is {unknown[0]}: the '
                f"evaluator's ann_file and the data set's must be one"
            )
        classes = CategoryMap(self.dataset_meta['classes'], self.dataset_meta.get('category_map'))
        ranges = self._ranges(classes.classes)
        categories = content['metainfo'].get('categories', {})
        truths, found = {}, {}
        for result in results:
            token, info = result['token'], infos[result['token']]
            limits = self.point_cloud_range
            truths[token] = within(truth_boxes(info, categories, classes, ranges), info, limits)
            found[token] = within(devkit_boxes(result['predicted'], info, classes.classes, ranges), info, limits)
        truth, predicted = eval_boxes(truths), eval_boxes(found)
        metrics: dict[str, float] = {}
        for name, count, rows in self._parts(truth, predicted, classes.classes):
            print_log('\n' + class_table(rows, count, len(results), name), 'current')
            scores = summary(rows, [float(distance) for distance in self.config.dist_ths])
            metrics |= scores if not name else {f'{key}_{name}': scores[key] for key in scores if 'AP_' not in key}
        return metrics | part_of(truths, infos)

    def _parts(
        self, truth: EvalBoxes, predicted: EvalBoxes, classes: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, int], dict[str, dict[str, float]]]]:
        """Yield all boxes, named '', and each band: its name, boxes of each class, scores of those that have some."""
        groups = distance_bands(truth, predicted, self.bands)
        for name, objects, found in [('', truth, predicted), *((g.name, g.truth, g.predicted) for g in groups)]:
            count = {label: sum(box.detection_name == label for box in objects.all) for label in classes}
            rows = {label: self._scores(objects, found, label) for label in classes if count[label]}
            yield name.replace(' to ', '-').replace(' ', ''), count, rows

    def _ranges(self, classes: Sequence[str]) -> dict[str, float] | None:
        """Expand the option to a range per class.

        Raises:
            ValueError: If a class has none.
        """
        if self.class_range is None:
            return None
        if not isinstance(self.class_range, Mapping):
            return dict.fromkeys(classes, float(self.class_range))
        missing = [name for name in classes if name not in self.class_range]
        if missing:
            raise ValueError(f'class_range has no range for {", ".join(missing)}; give one number for all classes')
        return {name: float(self.class_range[name]) for name in classes}

    def _scores(self, truth: EvalBoxes, predicted: EvalBoxes, name: str) -> dict[str, float]:
        """Compute AP at each distance and the errors at 2 m of one class."""
        config = self.config
        data = {
            float(limit): accumulate(truth, predicted, name, center_distance, limit) for limit in config.dist_ths
        }
        scores = {f'AP_{limit}': calc_ap(md, config.min_recall, config.min_precision) for limit, md in data.items()}
        errors = {
            short: calc_tp(data[config.dist_th_tp], config.min_recall, error) for error, short in MEASURED.items()
        }
        if all(math.isnan(box.velocity[0]) for box in truth.all if box.detection_name == name):
            errors['AVE'] = math.nan
        return {'AP': float(np.mean(list(scores.values()))), **scores, **errors}


def summary(rows: Mapping[str, Mapping[str, float]], distances: Sequence[float]) -> dict[str, float]:
    """Collect the numbers to log: means over classes, then each class; NaN where nothing is measured."""

    def mean(key: str) -> float:
        values = [row[key] for row in rows.values() if not math.isnan(row[key])]
        return float(np.mean(values)) if values else math.nan

    metrics = {'mAP': mean('AP'), **{f'm{short}': mean(short) for short in MEASURED.values()}}
    metrics.update({f'AP_{distance}': mean(f'AP_{distance}') for distance in distances})
    for name, row in rows.items():
        metrics.update({f'{name}_AP': row['AP'], f'{name}_AP_2.0': row[f'AP_{TABLE_DISTANCE}']})
    return {name: round(value, 4) for name, value in metrics.items()}


def class_table(rows: Mapping[str, Mapping[str, float]], count: Mapping[str, int], samples: int, band: str = '') -> str:
    """Format AP and errors per class; the title has the band, and the classes without ground truth."""
    shown = ['AP', f'AP_{TABLE_DISTANCE}', *MEASURED.values()]
    table = [['class', 'boxes', *shown]]
    table += [[name, str(count[name]), *(f'{row[key]:.3f}' for key in shown)] for name, row in rows.items()]
    absent = [name for name in count if name not in rows]
    title = counted(samples, 'sample') + (f', {band}' if band else '')
    title += f'; no ground truth: {", ".join(absent)}' if absent else ''
    text: str = AsciiTable(table, title=title).table
    return text
