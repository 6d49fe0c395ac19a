"""Scoring: the official nuScenes metric."""

from .nuscenes_metric import BEVNuScenesMetric
from .submission import global_boxes

__all__ = ['BEVNuScenesMetric', 'global_boxes']
