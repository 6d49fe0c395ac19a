"""Turn predictions, and the ground truth of an information file, into the devkit's boxes, with classes of any name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from numpy.typing import NDArray
from nuscenes.eval.common.data_classes import EvalBox, EvalBoxes
from nuscenes.eval.detection.data_classes import DetectionBox

from ..datasets.categories import CategoryMap
from ..datasets.infos.names import CATEGORIES
from .submission import global_boxes, moved


class ClassBox(DetectionBox):  # type: ignore[misc]
    """A box of the devkit whose class may have any name; the devkit's own allows nuScenes' ten."""

    def __init__(
        self,
        detection_name: str = '',
        detection_score: float = -1.0,
        attribute_name: str = '',
        **kwargs: Any,
    ) -> None:
        EvalBox.__init__(self, **kwargs)
        self.detection_name = detection_name
        self.detection_score = detection_score
        self.attribute_name = attribute_name


def devkit_boxes(
    detections: Mapping[str, Any],
    info: Mapping[str, Any],
    classes: Sequence[str],
    class_range: Mapping[str, float] | None = None,
) -> list[ClassBox]:
    """Convert boxes of a sample to the devkit's type, in global axes, with their distance from the car, best first.

    Args:
        detections: ``bboxes_3d``, ``scores_3d``, ``labels_3d``, see :func:`global_boxes`.
        info: The sample's record.
        classes: Names of the labels.
        class_range: Class to metres from the ego car; without it all boxes count.
    """
    limits = dict.fromkeys(classes, np.inf) if class_range is None else class_range
    ego = np.asarray(info['ego2global'], dtype=np.float64)[:3, 3]
    boxes = [ClassBox.deserialize(record) for record in global_boxes(detections, info, classes, limits)]
    for box in boxes:
        box.ego_translation = tuple(np.asarray(box.translation) - ego)
    return boxes


def truth_boxes(
    info: Mapping[str, Any],
    file_categories: Mapping[str, int],
    classes: CategoryMap,
    class_range: Mapping[str, float] | None = None,
) -> list[ClassBox]:
    """Return the ground truth of a record: valid boxes of the classes, NaN velocities where none is known.

    Args:
        info: Record of an information file.
        file_categories: The file's categories and their indices; nuScenes' order when empty.
        classes: Classes and what is mapped to them.
        class_range: Class to metres from the ego car; without it all boxes count.
    """
    names = {index: name for name, index in (file_categories or dict(zip(CATEGORIES, range(10), strict=True))).items()}
    entries, labels = [], []
    for entry in info['instances']:
        category = entry.get('category')
        if category not in classes.categories and category not in classes.classes:
            category = names.get(entry['bbox_label_3d'], '') if entry['bbox_label_3d'] >= 0 else ''
        label = classes.label(category)
        if label >= 0 and entry['bbox_3d_isvalid']:
            entries.append(entry)
            labels.append(label)
    velocity = np.array([entry['velocity'] for entry in entries], dtype=np.float64).reshape(-1, 2)
    rows = np.concatenate((np.array([entry['bbox_3d'] for entry in entries]).reshape(-1, 7), velocity), axis=1)
    unknown: NDArray[np.bool_] = np.any(np.isnan(velocity), axis=1)
    boxes = LiDARInstance3DBoxes(torch.from_numpy(np.nan_to_num(rows)), box_dim=9, origin=(0.5, 0.5, 0.5))
    lidar2ego = np.asarray(info['lidar_points']['lidar2ego'], dtype=np.float64)
    distances = np.linalg.norm(moved(rows[:, :3], lidar2ego)[:, :2], axis=1)
    detections = {'bboxes_3d': boxes, 'scores_3d': torch.ones(len(rows)), 'labels_3d': torch.tensor(labels).long()}
    found = devkit_boxes(detections, info, classes.classes)
    for box, lost in zip(found, unknown, strict=True):
        box.velocity = (np.nan, np.nan) if lost else box.velocity
    limits = [np.inf if class_range is None else class_range[box.detection_name] for box in found]
    return [box for box, distance, limit in zip(found, distances, limits, strict=True) if distance <= limit]


def within(boxes: list[ClassBox], info: Mapping[str, Any], limits: Sequence[float] | None) -> list[ClassBox]:
    """Return the boxes whose centre lies in a range of the LiDAR frame.

    Args:
        boxes: In global axes.
        info: The sample's record, for its poses.
        limits: ``x_min, y_min, z_min, x_max, y_max, z_max``, metres, of which x and y count; None: all.
    """
    if limits is None or not boxes:
        return boxes
    lidar2global = np.asarray(info['ego2global'], dtype=np.float64) @ np.asarray(info['lidar_points']['lidar2ego'])
    centres = moved(np.array([box.translation for box in boxes]), np.linalg.inv(lidar2global))
    xy = centres[:, :2]
    inside: NDArray[np.bool_] = np.all((xy > limits[:2]) & (xy < limits[3:5]), axis=1)
    return [box for box, kept in zip(boxes, inside, strict=True) if kept]


def eval_boxes(boxes: Mapping[str, list[ClassBox]]) -> EvalBoxes:
    """Collect the boxes of samples as the devkit wants them."""
    collected = EvalBoxes()
    for token, sample_boxes in boxes.items():
        collected.add_boxes(token, sample_boxes)
    return collected
