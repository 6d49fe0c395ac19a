"""Augmentation of the LiDAR frame, and why cameras cannot follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mmdet3d.datasets.transforms import (
    GlobalAlignment,
    GlobalRotScaleTrans,
    ObjectNoise,
    ObjectSample,
    RandomFlip3D,
)

CHANGES_THE_SCENE = (GlobalAlignment, GlobalRotScaleTrans, ObjectNoise, ObjectSample, RandomFlip3D)
"""Transforms after which points and boxes are not where the cameras saw them."""


def refuse_with_cameras(stages: Iterable[Any]) -> None:
    """Refuse a pipeline that moves points and boxes while cameras look at them.

    Images, camera matrices and the car's motion would still be those of the unmoved scene. An augmented copy of the
    scene would need all of them changed for every frame of the queue (and a flip makes left-hand drive of right-hand
    drive), so it is kept for detectors that read LiDAR alone, such as a teacher in its own training.

    Args:
        stages: Built transforms.

    Raises:
        ValueError: If a stage, or one inside it, is such a transform; names it.
    """
    found = [type(stage).__name__ for stage in _with_inner(stages) if isinstance(stage, CHANGES_THE_SCENE)]
    if found:
        raise ValueError(
            f'the pipeline moves points and boxes ({", ".join(found)}) and loads cameras, whose images and matrices '
            'would stay behind. Remove these stages (set them to None), or train on LiDAR alone with '
            'modality=dict(use_camera=False, use_lidar=True)'
        )


def _with_inner(stages: Iterable[Any]) -> Iterator[Any]:
    """All transforms, also those inside wrappers such as mmcv's RandomApply."""
    for stage in stages:
        yield stage
        inner = getattr(stage, 'transforms', None)
        if inner is not None:
            yield from _with_inner(inner if isinstance(inner, list | tuple) else [inner])
