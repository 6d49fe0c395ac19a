"""Extract from a training pipeline the transforms of the teacher's points, without their randomness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmdet3d.datasets import transforms
from mmdet3d.registry import TRANSFORMS

from ..datasets.transforms.augmentation import CHANGES_THE_SCENE

MOVE_LIDAR_SPACE = (
    *CHANGES_THE_SCENE,
    transforms.RandomShiftScale,
    transforms.RandomJitterPoints,
    transforms.PolarMix,
    transforms.LaserMix,
)
"""Transforms that change boxes, calibration or scene, which the cached outputs were computed for."""

SAME_POINTS = (transforms.LoadPointsFromFile, transforms.PointsRangeFilter)
"""Transforms that give the same points each time."""

STAGE = 'points'
"""Prefix of the names of stages that need LiDAR."""


def frozen_points(pipeline: Any) -> dict[str, dict[str, Any]]:
    """Select the stages that load the points of a sample, and make them repeatable.

    * Sweeps: the newest ones, as in testing, in place of random ones.
    * Shuffling: left out. Hard voxels that overflow then keep the points that come first in the file.

    Args:
        pipeline: A training pipeline of named stages.

    Returns:
        The stages whose name begins with ``points``, by name.

    Raises:
        ValueError: If the pipeline moves LiDAR space or changes the scene at random, or a stage of points is of a kind
            that is not known to be repeatable; with all reasons.
    """
    if not isinstance(pipeline, Mapping):
        raise ValueError(
            'a teacher cache needs a pipeline of named stages (a mapping), to tell the stages of the points from '
            f'those of the images; got {type(pipeline).__name__}'
        )
    frozen: dict[str, dict[str, Any]] = {}
    reasons: list[str] = []
    for name, stage in pipeline.items():
        if stage is None:
            continue
        reasons += [
            f"stage '{name}' ({kind.__name__}) moves LiDAR space or changes its objects at random, while a cached map "
            'stays where it was'
            for kind in _kinds(stage)
            if issubclass(kind, MOVE_LIDAR_SPACE)
        ]
        if not name.startswith(STAGE):
            continue
        kind = next(_kinds(stage))
        if issubclass(kind, transforms.PointShuffle):
            continue
        frozen[name] = dict(stage)
        if issubclass(kind, transforms.LoadPointsFromMultiSweeps):
            frozen[name]['test_mode'] = True
        elif not issubclass(kind, SAME_POINTS + MOVE_LIDAR_SPACE):
            reasons.append(f"stage '{name}' ({kind.__name__}) is not known to give the same points each time")
    if reasons:
        raise ValueError(
            'outputs of the teacher cannot be cached for this pipeline:\n  '
            + '\n  '.join(reasons)
            + '\nSet these stages to None in train_pipeline, or train with the live teacher'
        )
    if not frozen:
        raise ValueError(f"no stage of the pipeline loads points for the teacher; their names begin with '{STAGE}'")
    return frozen


def leaf_datasets(dataset: Any) -> Iterator[Any]:
    """Find the configs of the data sets inside wrappers: CBGSDataset, SeededDataset, ConcatDataset and our own."""
    if 'pipeline' in dataset:
        yield dataset
        return
    parts = [dataset[key] for key in ('dataset', 'unlabelled') if dataset.get(key) is not None]
    parts += dataset.get('datasets') or []
    for part in parts:
        yield from leaf_datasets(part)
    if not parts:
        raise ValueError(f'a data set without pipeline, dataset or datasets: {sorted(dataset)}')


def _kinds(stage: Any) -> Iterator[type]:
    """Find the classes of a stage and of all transforms inside of it, the outermost first."""
    if isinstance(stage, Mapping):
        kind = stage.get('type')
        if kind is not None:
            found = kind if isinstance(kind, type) else TRANSFORMS.get(kind)
            if found is None:
                raise ValueError(f'there is no transform {kind}')
            yield found
        for part in stage.values():
            yield from _kinds(part)
    elif isinstance(stage, list | tuple):
        for part in stage:
            yield from _kinds(part)
    elif callable(stage):
        yield type(stage)
