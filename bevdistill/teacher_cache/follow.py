"""Adapt the training data of a config to ``model.teacher_cache``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..distillers import TeacherCheckpoint
from .frozen_points import frozen_points, leaf_datasets
from .key import CacheKey
from .storage import TeacherCache
from .transform import LoadTeacherOutputs

STAGE = 'teacher_outputs'


def follow_teacher_cache(cfg: Config) -> None:
    """Adapt the training data of a config to ``model.teacher_cache``, in place; do nothing where it is not set.

    The cache is compared with teacher, pipeline and data. Then every data set of the training stops loading LiDAR and
    ends its pipeline with the transform that reads the teacher's outputs, in the workers. The config that the run
    saves has these changes.

    Raises:
        FileNotFoundError: If there is no cache in the folder.
        ValueError: If the cache is not complete or belongs to something else, with all differences and both sides; or
            if the pipeline moves LiDAR space.
    """
    folder = cfg.model.get('teacher_cache')
    if folder is None:
        return
    cache = TeacherCache(folder)
    held = cache.samples
    checkpoint = cfg.model.get('teacher_checkpoint')
    sha256 = TeacherCheckpoint(checkpoint).digest() if checkpoint else None
    leaves = list(leaf_datasets(cfg.train_dataloader.dataset))
    for leaf in leaves:
        own = CacheKey.of(sha256, cfg.model.teacher, cfg.model.data_preprocessor, frozen_points(leaf.pipeline))
        cache.check(own, held.differences_of(leaf))
    for leaf in leaves:
        leaf.modality = dict(leaf.get('modality') or {}, use_camera=True, use_lidar=False)
        stages: Mapping[str, Any] = {name: stage for name, stage in leaf.pipeline.items() if name != STAGE}
        leaf.pipeline = dict(stages) | {STAGE: dict(type=LoadTeacherOutputs.__name__, folder=str(Path(folder)))}
