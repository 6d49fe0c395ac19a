"""Compute the official nuScenes detection metric, with stable names and a table."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet3d.evaluation.metrics import NuScenesMetric
from mmdet3d.registry import METRICS
from mmengine.logging import print_log

from ..checkpoints.whole_file import write_whole
from ..datasets.infos import read_infos
from ..for_people import counted
from .class_scores import log_class_scores
from .nuscenes_boxes import NuScenesTables, read_results
from .nuscenes_summary import class_table, empty_summary, full_class_range, score_boxes, short_metrics
from .splits import EVAL_SETS, part_of
from .submission import MAX_BOXES, global_boxes, submission_meta

SUBMIT = 'tools/test.py CONFIG CHECKPOINT --format-only'


@METRICS.register_module()
class BEVNuScenesMetric(NuScenesMetric):
    """NDS, mAP and true-positive errors of the official devkit, on the samples that were predicted.

    Reports ``NDS, mAP, mATE, mASE, mAOE, mAVE, mAAE``, ``AP_<metres>`` (mean over classes) and ``<class>_AP``, each
    behind the prefix ``nuscenes/``, and logs a table per class. Of other samples than the whole official split, also
    how many and which (:func:`bevdistill.evaluation.splits.part_of`).

    Note:
        Samples are found by their token, not by their position in the data set, so that a filtered or re-ordered
        data set is scored right. Predictions without a single box score zero; the devkit would stop with an error.

        On the whole official split with all ten classes, the numbers are the official ones. Of other samples (the
        training split, one scene, the first ten) or of some classes, means are over the classes that are detected and
        have ground truth, and the table says so.

    Args:
        data_root: nuScenes root.
        ann_file: Information file of the split; a relative path that does not exist is looked up under `data_root`.
        class_range: Metres from the ego car within which predictions and ground truth count: one number for all
            classes or one per class; None for the official ranges. With anything but None the scores must not be
            compared with published ones.
        modality: Sensors that a submission file declares, as ``use_camera``, ``use_lidar``, ``use_radar`` and
            ``use_map``; None for those that the test data set loads. A camera student declares the camera alone,
            also when a LiDAR teacher taught it.
        use_external: Whether the file declares data beyond nuScenes.
        all_classes: Whether means are over the ten classes of nuScenes also where fewer are detected.
        prefix: Of the reported names.
        **kwargs: Of mmdet3d's metric: format_only, jsonfile_prefix, eval_version, collect_device.

    Raises:
        ValueError: If `class_range` names an unknown class or a range is not positive, or `modality` an unknown
            sensor. As soon as the data set is known: if it has no public annotations and is to be scored, or is to be
            submitted and does not tell its sensors.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str = 'nuscenes_infos_val.msgpack.gz',
        class_range: float | Mapping[str, float] | None = None,
        modality: Mapping[str, bool] | None = None,
        use_external: bool = False,
        all_classes: bool = False,
        prefix: str | None = 'nuscenes',
        **kwargs: Any,
    ) -> None:
        if not os.path.exists(ann_file) and not os.path.isabs(ann_file):
            ann_file = os.path.join(data_root, ann_file)
        super().__init__(data_root=data_root, ann_file=ann_file, prefix=prefix, **kwargs)
        self.modality = None if modality is None else submission_meta(modality, use_external)
        self.use_external = use_external
        self.all_classes = all_classes
        if class_range is not None:
            self.eval_detection_configs.class_range.update(
                full_class_range(class_range, list(self.eval_detection_configs.class_names))
            )

    @property
    def dataset_meta(self) -> dict[str, Any]:
        """Metadata of the data set that is scored."""
        meta: dict[str, Any] = self._dataset_meta
        return meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        """Set it; refuse what cannot be scored or submitted before anything is predicted."""
        other = [name for name in dataset_meta['classes'] if name not in self.eval_detection_configs.class_range]
        if other or dataset_meta.get('dataset', 'nuscenes') != 'nuscenes':
            what = f"the class '{other[0]}'" if other else f'data of {dataset_meta["dataset"]!r}'
            raise ValueError(
                f"{self.ann_file}: the official metric scores nuScenes' classes on nuScenes' tables, not {what}; use "
                "val_evaluator=dict(type='BEVDetectionMetric', data_root=..., ann_file=...)"
            )
        version = dataset_meta.get('version')
        if not self.format_only and version not in EVAL_SETS:
            raise ValueError(
                f'{self.ann_file}: data of version {version!r} have no public annotations to score (those of '
                f'{" and ".join(EVAL_SETS)} have). Write the file for the test server instead: {SUBMIT}'
            )
        if self.format_only and self.modality is None and 'modality' not in dataset_meta:
            raise ValueError(
                'a submission declares its sensors, and this data set does not tell which it loads; use '
                'SequenceNuScenesDataset, or give the evaluator modality=dict(use_camera=..., use_lidar=...)'
            )
        self._dataset_meta = dataset_meta

    @property
    def declared(self) -> dict[str, bool]:
        """Flags of the submission file."""
        return self.modality or submission_meta(self.dataset_meta.get('modality', {}), self.use_external)

    def result_names(self) -> list[str]:
        """Return the names that will be reported, without the prefix."""
        return list(short_metrics(empty_summary(self.eval_detection_configs), self.dataset_meta['classes']))

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what scoring needs of a batch of predictions."""
        for sample in data_samples:
            boxes = sample['pred_instances_3d']
            self.results.append(
                {
                    'sample_idx': sample['sample_idx'],
                    'token': sample.get('token'),
                    'pred_instances_3d': {key: boxes[key].to('cpu') for key in ('bboxes_3d', 'scores_3d', 'labels_3d')},
                }
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Score the predictions, or only write them.

        Note:
            mmdet3d unpickles the information file, which runs what is in it; :func:`read_infos` does not.
        """
        self.version = self.dataset_meta['version']
        self.data_infos = read_infos(self.ann_file)['data_list']
        classes = self.dataset_meta['classes']
        files, folder = self.format_results(results, classes, self.jsonfile_prefix)
        try:
            return {} if self.format_only else self.nus_evaluate(files, classes=classes)
        finally:
            if folder is not None:
                folder.cleanup()

    def format_results(
        self, results: list[dict[str, Any]], classes: list[str] | None = None, jsonfile_prefix: str | None = None
    ) -> tuple[dict[str, str], Any]:
        """Write the submission file; positions of samples are looked up by token first.

        Raises:
            ValueError: If a prediction is of a sample that the information file lacks, or in a submission the other way
                round.
        """
        positions = {info['token']: position for position, info in enumerate(self.data_infos)}
        unknown = sorted({r['token'] for r in results if r.get('token') is not None and r['token'] not in positions})
        if unknown:
            raise ValueError(
                f'{self.ann_file} lacks {counted(len(unknown), "predicted sample")}, the first is {unknown[0]}: '
                f"the evaluator's ann_file and the data set's must be one"
            )
        placed = [{**r, 'sample_idx': positions.get(r.get('token'), r['sample_idx'])} for r in results]
        # The devkit breaks ties of scores by this order, which would otherwise depend on the ranks.
        placed.sort(key=lambda result: int(result['sample_idx']))
        formatted: tuple[dict[str, str], Any] = super().format_results(placed, classes, jsonfile_prefix)
        self._complain_of_missing(positions, {result['sample_idx'] for result in placed}, formatted[0])
        return formatted

    def _complain_of_missing(self, positions: Mapping[str, int], predicted: set[int], files: dict[str, str]) -> None:
        """Refuse a submission without some samples of the information file; in scoring, say that they are left out."""
        missing = [token for token, position in positions.items() if position not in predicted]
        if not missing:
            return
        found = (
            f'{len(missing)} of {len(positions)} samples of {self.ann_file} have no prediction, the first is '
            f'{missing[0]}'
        )
        if self.format_only:
            raise ValueError(
                f'{found}: the test server wants every sample. Test on the whole split. The incomplete file is {files}'
            )
        print_log(f'{found}; only the others are scored', 'current', logging.WARNING)

    def _format_lidar_bbox(
        self,
        results: list[dict[str, Any]],
        sample_idx_list: list[int],
        classes: list[str] | None = None,
        jsonfile_prefix: str | None = None,
    ) -> str:
        """Write boxes in nuScenes' submission format.

        Note:
            mmdet3d builds a devkit box and two quaternions for each prediction, which takes longer than scoring them;
            whole samples are moved at once here, to the same numbers.
        """
        names = list(classes if classes is not None else self.dataset_meta['classes'])
        annotations = {}
        for position, detections in zip(sample_idx_list, results, strict=True):
            info = self.data_infos[position]
            ranges = self.eval_detection_configs.class_range
            annotations[info['token']] = global_boxes(detections, info, names, ranges)[:MAX_BOXES]
        path = Path(str(jsonfile_prefix)) / 'results_nusc.json'
        # json.dump encodes in Python, piece by piece; dumps is compiled and forty times faster.
        write_whole(json.dumps({'meta': self.declared, 'results': annotations}).encode(), path)
        if self.format_only:
            flags = ', '.join(f'{flag} {used}' for flag, used in self.declared.items())
            boxes = counted(sum(map(len, annotations.values())), 'box')
            print_log(f'submission {path}: {boxes} in {counted(len(annotations), "sample")}; {flags}', 'current')
        return str(path)

    def nus_evaluate(
        self,
        result_dict: dict[str, str],
        metric: str = 'bbox',
        classes: list[str] | None = None,
        logger: Any = None,
    ) -> dict[str, float]:
        """Score the submission file."""
        del metric, logger
        return self._evaluate_single(result_dict['pred_instances_3d'], classes)

    def _evaluate_single(
        self, result_path: str, classes: list[str] | None = None, result_name: str = 'pred_instances_3d'
    ) -> dict[str, float]:
        """Score one submission file."""
        names = list(classes if classes is not None else self.dataset_meta['classes'])
        config = self.eval_detection_configs
        results = read_results(result_path, config.max_boxes_per_sample)
        if not any(results.values()):
            print_log('no prediction has a box within range: all scores are zero', 'current')
        tables = NuScenesTables(self.data_root, self.version)
        tokens, scope = list(results), tables.scope(results)
        truth, predicted = tables.truth(tokens, config), tables.predicted(results, config)
        summary, curves = score_boxes(truth, predicted, config, names, bool(scope), self.all_classes)
        for name, content in (('summary', summary | {'meta': self.declared}), ('details', curves.serialize())):
            write_whole(json.dumps(content).encode(), Path(result_path).with_name(f'metrics_{name}.json'))
        print_log('\n' + class_table(summary, names, scope), 'current')
        log_class_scores(summary, names)
        return short_metrics(summary, names) | part_of(tokens, tables.official)
