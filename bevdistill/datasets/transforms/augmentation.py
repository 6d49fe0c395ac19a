"""Refuse augmentation of the LiDAR frame where cameras are loaded."""

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
"""Transforms that move points and boxes away from where the cameras saw them."""


def refuse_with_cameras(stages: Iterable[Any]) -> None:
    """Refuse a pipeline that loads cameras and moves points and boxes.

    Images, camera matrices and ego motion would still be those of the unmoved scene, and would have to be changed for
    every frame of the queue. Such augmentation is for detectors that read LiDAR alone, such as a teacher in its own
    training.

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
    """Yield all transforms, also those inside wrappers such as mmcv's RandomApply."""
    for stage in stages:
        yield stage
        inner = getattr(stage, 'transforms', None)
        if inner is not None:
            yield from _with_inner(inner if isinstance(inner, list | tuple) else [inner])
