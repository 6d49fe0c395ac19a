"""Read what runs predicted and what is there, sample by sample, as the devkit's boxes in global axes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from nuscenes.eval.common.config import config_factory

from ...datasets.categories import CategoryMap
from ...datasets.infos import read_infos
from ...datasets.infos.names import CATEGORIES, DEFAULT_PREFIX
from ...evaluation.ground_truth import ClassBox, devkit_boxes, truth_boxes
from ...evaluation.nuscenes_boxes import read_results
from .runs import PREDICT_FILE

Boxes = dict[str, list[ClassBox]]
MOST_BOXES = 500
"""Of a sample, as in the benchmark."""


@dataclass(frozen=True)
class Samples:
    """The samples of an information file.

    Args:
        infos: Record of each by its token.
        file_categories: The file's categories and their indices.
        classes: Classes that are detected, and what is mapped to them.
        class_range: Class to metres from the ego car within which boxes count; None for no limit.
        root: Data root.
        prefix: Folders of the sensors relative to it.
        file: The file.
    """

    infos: Mapping[str, Mapping[str, Any]]
    file_categories: Mapping[str, int]
    classes: CategoryMap
    class_range: Mapping[str, float] | None
    root: Path
    prefix: Mapping[str, str]
    file: Path

    def truth(self, token: str) -> list[ClassBox]:
        """Return the objects of a sample that count; none where the file has no annotations."""
        if not self.infos[token].get('instances'):
            return []
        return truth_boxes(self.infos[token], self.file_categories, self.classes, self.class_range)

    def path(self, sensor: str, name: str) -> Path:
        """Return the file of a camera, or of ``pts``."""
        folder = self.prefix.get(sensor, '' if sensor == 'pts' else self.prefix.get('img', ''))
        return self.root / folder / name


def read_samples(
    config: Mapping[str, Any], data_root: Path | None = None, ann_file: Path | None = None
) -> Samples:
    """Read the information file of a config's test data.

    Args:
        config: Of a run.
        data_root: Data root in place of the config's.
        ann_file: Information file in place of the config's.

    Raises:
        FileNotFoundError: If it is not there; says which options name it.
        ValueError: If it is damaged, or the config names neither root nor file.
    """
    data = config.get('test_dataloader') or config.get('val_dataloader') or {}
    while isinstance(data, Mapping) and isinstance(data.get('dataset'), Mapping):
        data = data['dataset']
    named = ann_file or data.get('ann_file')
    root = data_root or data.get('data_root')
    if named is None or root is None:
        raise ValueError('no config names test data; name them by --data-root DIR --ann-file FILE')
    file = Path(named) if ann_file is not None else Path(root) / named
    try:
        infos = read_infos(file)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'no information file {file}; name the data by --data-root DIR') from error
    meta = infos['metainfo']
    names = (data.get('metainfo') or {}).get('classes') or CATEGORIES
    ours = meta.get('dataset', 'nuscenes') == 'nuscenes'
    return Samples(
        {str(info['token']): info for info in infos['data_list']},
        meta.get('categories') or {},
        CategoryMap(names, data.get('categories')),
        _class_range(config.get('test_evaluator') or config.get('val_evaluator'), names, ours),
        Path(root), data.get('data_prefix') or (DEFAULT_PREFIX if ours else {}), file,
    )  # fmt: skip


def _class_range(evaluators: Any, names: Sequence[str], official: bool) -> dict[str, float] | None:
    """Return the range of the first evaluator that has one, or else the official one of nuScenes' classes."""
    for evaluator in evaluators if isinstance(evaluators, list | tuple) else [evaluators or {}]:
        chosen = evaluator.get('class_range')
        if isinstance(chosen, Mapping):
            return {name: float(chosen.get(name, np.inf)) for name in names}
        if chosen is not None:
            return dict.fromkeys(names, float(chosen))
    if not official:
        return None
    ranges = config_factory('detection_cvpr_2019').class_range
    return {name: float(ranges.get(name, np.inf)) for name in names}


def read_predictions(file: Path, samples: Samples, threshold: float) -> Boxes:
    """Read the boxes that score at least a threshold, of the samples that are known.

    Raises:
        ValueError: If it is no file of predictions, or of other samples.
    """
    found = _predicted(file, samples, threshold) if file.name == PREDICT_FILE else _submitted(file, samples, threshold)
    if not found:
        raise ValueError(
            f'{file} and {samples.file} have no sample in common; name the data by --data-root DIR, --ann-file FILE'
        )
    return found


def _submitted(file: Path, samples: Samples, threshold: float) -> Boxes:
    found: Boxes = {}
    for token, boxes in read_results(file, MOST_BOXES).items():
        if token in samples.infos:
            try:
                found[token] = [ClassBox.deserialize(box) for box in boxes if box['detection_score'] >= threshold]
            except (AssertionError, TypeError, ValueError) as error:
                raise ValueError(f'{file}: sample {token} has a box that is none ({error!r})') from error
    return found


def _predicted(file: Path, samples: Samples, threshold: float) -> Boxes:
    """Read what ``bevdistill predict`` wrote, in the LiDAR frame."""
    names = samples.classes.classes
    found: Boxes = {}
    try:
        for moment in json.loads(file.read_text())['moments']:
            token = str(moment['token'])
            if token not in samples.infos:
                continue
            kept = [box for box in moment['objects'] if box['score'] >= threshold and box['name'] in names]
            rows = [[*b['centre_m'], *b['size_m'], b['yaw_rad'], *(b.get('velocity_m_s') or (0, 0))] for b in kept]
            boxes = LiDARInstance3DBoxes(torch.tensor(rows).view(-1, 9), box_dim=9, origin=(0.5, 0.5, 0.5))
            labels = torch.tensor([names.index(box['name']) for box in kept]).long()
            scores = torch.tensor([float(box['score']) for box in kept])
            detections = {'bboxes_3d': boxes, 'scores_3d': scores, 'labels_3d': labels}
            found[token] = devkit_boxes(detections, samples.infos[token], names, samples.class_range)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f'{file} is no file of predictions as bevdistill predict writes it: {error!r}') from error
    return found
