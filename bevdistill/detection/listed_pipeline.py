"""The test pipeline of a config in the form that mmdet3d's functions and inferencers read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from ..structures.sensor_stages import listed_stages, unused_prefixes

POINTS = dict(type='LoadPointsFromFile', coord_type='LIDAR', load_dim=5, use_dim=5)
"""mmdet3d's step that its LiDAR inferencer looks for, with the defaults of ours."""
OURS = 'LoadLidarPoints'


def list_pipeline(cfg: Config) -> Config:
    """Turn the named stages of a config's test pipeline into a list, in place, and say ``box_type_3d``.

    As in :class:`~bevdistill.datasets.SequenceNuScenesDataset`, stages of sensors that are not loaded are left out. The
    loader of points becomes mmdet3d's own, which ``LidarDet3DInferencer`` replaces by one for files and arrays;
    ``mmdet3d.apis.inference_detector`` reads ``box_type_3d``.

    Args:
        cfg: The config, which is returned. Without named stages it stays as it is.
    """
    dataset = cfg.get('test_dataloader', {}).get('dataset', {})
    pipeline = dataset.get('pipeline')
    if isinstance(pipeline, Mapping):
        stages = listed_stages(pipeline, unused_prefixes(dataset.get('modality')))
        dataset.pipeline = [_of_mmdet3d(stage) for stage in stages]
        dataset.setdefault('box_type_3d', 'LiDAR')
    return cfg


def _of_mmdet3d(stage: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**POINTS, **stage, 'type': POINTS['type']} if stage['type'] == OURS else stage
