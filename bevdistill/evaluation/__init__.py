"""Score detections: the official nuScenes metric, average precision on one keyframe, error analysis."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .detection_metric import BEVDetectionMetric
    from .keyframe_ap import KeyframeAP
    from .nuscenes_metric import BEVNuScenesMetric
    from .submission import global_boxes

__all__ = ['BEVDetectionMetric', 'BEVNuScenesMetric', 'KeyframeAP', 'global_boxes']

__getattr__ = lazy_names(__name__)
