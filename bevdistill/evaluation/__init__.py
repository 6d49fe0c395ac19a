"""Score detections: the official nuScenes metric, average precision on one keyframe, error analysis."""

from .keyframe_ap import KeyframeAP
from .nuscenes_metric import BEVNuScenesMetric
from .submission import global_boxes

__all__ = ['BEVNuScenesMetric', 'KeyframeAP', 'global_boxes']
