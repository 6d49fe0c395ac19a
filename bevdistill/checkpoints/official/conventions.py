"""Convert class order and box codes of public checkpoints from before mmdet3d 1.0."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet3d.datasets import NuScenesDataset
from torch import Tensor

from ...structures import CODE_SIZE

CLASSES: tuple[str, ...] = tuple(NuScenesDataset.METAINFO['classes'])
"""This package's order: mmdet3d's."""

BEVFORMER_CLASSES = (
    'car',
    'truck',
    'construction_vehicle',
    'bus',
    'trailer',
    'barrier',
    'motorcycle',
    'bicycle',
    'pedestrian',
    'traffic_cone',
)
"""The order of BEVFormer, of BEVDistill's undistilled baselines, and of the original Object-DGCNN."""

CLASSES_OF_KIND = {
    'bevformer': BEVFORMER_CLASSES,
    'object-dgcnn': BEVFORMER_CLASSES,
    'bevdistill-student': CLASSES,
    'bevdistill-teacher': CLASSES,
    'distiller': CLASSES,
}

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
"""Range of all public models, m, LiDAR frame."""

OLD_SLOTS = (0, 1, 3, 2, 4, 5, 7, 6, 8, 9)
OLD_SIGNS = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0)


def to_new_boxes(rows: Tensor, signed: bool = True) -> Tensor:
    """Convert the rows of a layer that predicts old box codes, so that it predicts the same boxes in today's codes.

    Sizes are (length, width) instead of (width, length), and ``yaw = -yaw_old - pi / 2`` gives ``sin = -cos_old`` and
    ``cos = -sin_old``. The map is its own inverse.

    Args:
        rows: First dimension: slots of the box code.
        signed: False for what belongs to the slots without being a prediction, such as their weights in a loss.

    Raises:
        ValueError: If there are not as many rows as slots.
    """
    if rows.shape[:1] != (CODE_SIZE,):
        raise ValueError(f'expected {CODE_SIZE} rows, one per slot of the box code, got shape {tuple(rows.shape)}')
    turned = rows[list(OLD_SLOTS)]
    if not signed:
        return turned
    return turned * turned.new_tensor(OLD_SIGNS).view(-1, *[1] * (rows.dim() - 1))


def to_own_classes(rows: Tensor, classes: Sequence[str]) -> Tensor:
    """Reorder the rows of a layer with one output per class to this package's order.

    Args:
        rows: First dimension: classes in the order of the file.
        classes: That order.

    Raises:
        ValueError: If there are not as many rows as classes.
    """
    if rows.shape[:1] != (len(classes),):
        raise ValueError(f'expected {len(classes)} rows, one per class, got shape {tuple(rows.shape)}')
    return rows[[list(classes).index(name) for name in CLASSES]]


def classes_of(meta: Mapping[str, Any], kind: str) -> tuple[tuple[str, ...], str]:
    """Find the class order of a file and its source.

    Args:
        meta: Its meta data; ``CLASSES`` is what mmdet3d < 1.0 wrote.
        kind: Kind of the file, which decides where the meta data say nothing.

    Raises:
        ValueError: If the classes are not the ten of nuScenes.
    """
    named = meta.get('CLASSES')
    if not isinstance(named, list | tuple):
        return CLASSES_OF_KIND[kind], f'the order of {kind} models; the file does not say'
    if sorted(named) != sorted(CLASSES):
        raise ValueError(f'the file has the classes {list(named)}; known are the ten of nuScenes, {list(CLASSES)}')
    return tuple(named), 'the file says so'


def range_of(meta: Mapping[str, Any]) -> tuple[tuple[float, ...], str]:
    """Find the point cloud range of a file and its source.

    Args:
        meta: Its meta data; ``config`` is the text of the config that it was trained with.
    """
    found = re.findall(r'^point_cloud_range\s*=\s*(\[[^\]]*\])', str(meta.get('config', '')), flags=re.MULTILINE)
    if not found:
        return RANGE, 'that of all public models; the file does not say'
    return tuple(float(limit) for limit in ast.literal_eval(found[-1])), 'the file says so'
