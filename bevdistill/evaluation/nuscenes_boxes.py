"""Read ground truth and predictions of any samples of nuScenes as the devkit's boxes, filtered as the devkit does."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes
from nuscenes.eval.detection.constants import ATTRIBUTE_NAMES, DETECTION_NAMES
from nuscenes.eval.detection.data_classes import DetectionBox, DetectionConfig
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.utils.splits import create_splits_scenes

from ..datasets.infos.rules import Rule, numbers, shown
from ..for_people import counted
from ..json_file import each_once
from .splits import EVAL_SETS

ATTRIBUTES = ('', *ATTRIBUTE_NAMES)
NUMBERS: dict[str, Rule] = {
    'translation': numbers('3 finite numbers, metres', (3,), lambda v: np.all(np.isfinite(v), axis=-1)),
    'size': numbers('3 finite numbers above 0, metres', (3,), lambda v: np.all((v > 0) & (v < np.inf), axis=-1)),
    'rotation': numbers('a quaternion w, x, y, z', (4,), lambda v: np.any(v != 0, axis=-1) & np.isfinite(v.sum(-1))),
    'velocity': numbers('2 numbers, m/s, NaN where unknown', (2,), lambda v: np.all(~np.isinf(v), axis=-1)),
    'detection_score': numbers('a number from 0 to 1', (), lambda v: (v >= 0) & (v <= 1)),
}  # fmt: skip
"""What the numbers of a box have to be."""
FIELDS = (
    'sample_token', 'translation', 'size', 'rotation', 'velocity', 'detection_name', 'detection_score',
    'attribute_name',
)  # fmt: skip


class NuScenesTables:
    """Tables of a nuScenes version, for ground truth of any of its samples; read once.

    Args:
        root: nuScenes root.
        version: One of :data:`EVAL_SETS`.
    """

    def __init__(self, root: str | Path, version: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self.devkit = NuScenes(version=version, dataroot=str(root), verbose=False)
        self.split = EVAL_SETS[version]
        scenes = set(create_splits_scenes()[self.split])
        self.scene_of = {s['token']: self.devkit.get('scene', s['scene_token']) for s in self.devkit.sample}
        self.official = {token for token, scene in self.scene_of.items() if scene['name'] in scenes}

    def truth(self, tokens: Sequence[str], config: DetectionConfig) -> EvalBoxes:
        """Return the ground truth within range; each box has its level of visibility ('1' to '4') as ``visibility``.

        Raises:
            ValueError: If a sample is not in the tables.
        """
        unknown = [token for token in tokens if token not in self.scene_of]
        if unknown:
            raise ValueError(
                f'{len(unknown)} of {len(tokens)} predicted samples are not in {self.devkit.version} of '
                f'{self.devkit.dataroot}, the first is {unknown[0]}: results and data root must fit'
            )
        boxes = EvalBoxes()
        for token in tokens:
            boxes.add_boxes(token, self._truth_of(token))
        return self._in_range(boxes, config)

    def predicted(self, results: dict[str, list[dict[str, Any]]], config: DetectionConfig) -> EvalBoxes:
        """Return predictions of a results file within range; samples as in its ``results``."""
        return self._in_range(EvalBoxes.deserialize(results, DetectionBox), config)

    def scope(self, tokens: Collection[str]) -> str:
        """Say which samples these are where they are not the whole official split; '' where they are."""
        if set(tokens) == self.official:
            return ''
        inside = len(self.official.intersection(tokens))
        if inside == len(tokens):
            return f'{inside} of the {counted(len(self.official), "sample")} of the split {self.split}'
        some = counted(len(tokens), 'sample')
        return f'{some}, of which {inside} of the {len(self.official)} of the split {self.split}'

    def _truth_of(self, token: str) -> list[DetectionBox]:
        """Read the annotations of a sample as the devkit's ``load_gt`` does, which takes whole splits alone."""
        boxes = []
        for annotation in self.devkit.get('sample', token)['anns']:
            record = self.devkit.get('sample_annotation', annotation)
            name = category_to_detection_name(record['category_name'])
            if name is None:
                continue
            attributes = [self.devkit.get('attribute', attribute)['name'] for attribute in record['attribute_tokens']]
            box = DetectionBox(
                sample_token=token,
                translation=record['translation'],
                size=record['size'],
                rotation=record['rotation'],
                velocity=self.devkit.box_velocity(annotation)[:2],
                num_pts=record['num_lidar_pts'] + record['num_radar_pts'],
                detection_name=name,
                attribute_name=attributes[0] if attributes else '',
            )
            box.visibility = record['visibility_token']
            boxes.append(box)
        return boxes

    def _in_range(self, boxes: EvalBoxes, config: DetectionConfig) -> EvalBoxes:
        if not boxes.all:  # the devkit's filter needs a box to know their kind
            return boxes
        return filter_eval_boxes(self.devkit, add_center_dist(self.devkit, boxes), config.class_range)


def read_results(path: str | Path, limit: int) -> dict[str, list[dict[str, Any]]]:
    """Read the boxes of each sample of a results file.

    Raises:
        ValueError: If the file is not one, is of no sample, or a sample has more than `limit` boxes.
    """
    try:
        content = json.loads(Path(path).read_bytes(), object_pairs_hook=each_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} cannot be read as JSON: {error}') from error
    results = content.get('results') if isinstance(content, dict) else None
    if not isinstance(results, dict):
        raise ValueError(
            f"{path} is no results file: expected an object with 'results', from sample tokens to boxes; "
            'bevdistill test CONFIG CHECKPOINT --keep-predictions writes one'
        )
    if not results:
        raise ValueError(f'{path} has no sample in it')
    for token, boxes in results.items():
        if not isinstance(boxes, list) or len(boxes) > limit:
            found = counted(len(boxes), 'box') if isinstance(boxes, list) else type(boxes).__name__
            raise ValueError(f'{path}: sample {token} has {found}; expected a list of at most {counted(limit, "box")}')
        _check_boxes(path, token, boxes)
    _check_numbers(path, [(token, number, box) for token, boxes in results.items() for number, box in enumerate(boxes)])
    return results


def _check_boxes(path: str | Path, token: str, boxes: list[Any]) -> None:
    """Raise a ValueError that names the first box with a missing field or an unknown class."""
    for position, box in enumerate(boxes):
        missing = [field for field in FIELDS if field not in box] if isinstance(box, dict) else FIELDS
        if missing:
            raise ValueError(
                f"{path}: sample {token}, box {position} has no '{missing[0]}'; expected boxes in the submission "
                'format of nuScenes'
            )
        if box['detection_name'] not in DETECTION_NAMES:
            raise ValueError(
                f"{path}: sample {token}, box {position} is of the class '{box['detection_name']}'; expected one of "
                f'{", ".join(DETECTION_NAMES)}'
            )
        if box['sample_token'] != token or box['attribute_name'] not in ATTRIBUTES:
            raise ValueError(
                f'{path}: sample {token}, box {position}: expected its sample_token and an attribute of nuScenes or '
                f'none, found {shown(box["sample_token"])} and {shown(box["attribute_name"])}'
            )


def _check_numbers(path: str | Path, boxes: list[tuple[str, int, dict[str, Any]]]) -> None:
    """Raise a ValueError that names the first box with a number that cannot be; scores become floats."""
    for name, rule in NUMBERS.items():
        values = [box[name] for _, _, box in boxes]
        for place in (~rule.holds(values)).nonzero()[0][:1]:
            token, position, _ = boxes[place]
            found = shown(values[place])
            raise ValueError(f'{path}: sample {token}, box {position}: {name}: expected {rule.expected}, found {found}')
    for _, _, box in boxes:
        box['detection_score'] = float(box['detection_score'])  # The devkit takes no whole numbers.
