"""Information files: one record per keyframe, in the layout of mmdet3d 1.x with temporal fields."""

from typing import TYPE_CHECKING

from ...lazy import lazy_names

if TYPE_CHECKING:
    from .create import create_nuscenes_infos
    from .files import ENDING, find_infos, read_infos, split_of, write_infos
    from .keyframe import write_keyframe_infos
    from .names import TEMPORAL_FIELDS

__all__ = [
    'ENDING',
    'TEMPORAL_FIELDS',
    'create_nuscenes_infos',
    'find_infos',
    'read_infos',
    'split_of',
    'write_infos',
    'write_keyframe_infos',
]

__getattr__ = lazy_names(__name__)
