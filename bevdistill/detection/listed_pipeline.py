"""The test pipeline of a config in the form that mmdet3d's functions for inference read."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from mmengine.config import Config


def with_listed_pipeline(cfg: Config) -> Config:
    """Copy a config, the named stages of its test pipeline as a list, and ``box_type_3d`` said.

    As in :class:`~bevdistill.datasets.SequenceNuScenesDataset`, stages whose name begins with ``images`` are for
    cameras, those with ``points`` for LiDAR, and None leaves a stage out. ``mmdet3d.apis.inference_detector`` reads
    both entries.

    Args:
        cfg: The config; not changed. Without named stages it is only copied.
    """
    cfg = deepcopy(cfg)
    dataset = cfg.get('test_dataloader', {}).get('dataset', {})
    pipeline = dataset.get('pipeline')
    if not isinstance(pipeline, Mapping):
        return cfg
    modality = dataset.get('modality') or dict(use_camera=True, use_lidar=True)
    sensors = (('images', 'use_camera'), ('points', 'use_lidar'))
    skip = tuple(prefix for prefix, sensor in sensors if not modality.get(sensor, False))
    dataset.pipeline = [stage for name, stage in pipeline.items() if stage is not None and not name.startswith(skip)]
    dataset.setdefault('box_type_3d', 'LiDAR')
    return cfg
