"""Information files: one record per keyframe, in the layout of mmdet3d 1.x with temporal fields."""

from .create import TEMPORAL_FIELDS, create_nuscenes_infos
from .keyframe import write_keyframe_infos

__all__ = ['TEMPORAL_FIELDS', 'create_nuscenes_infos', 'write_keyframe_infos']
