"""Outputs of a teacher on disk: what they depend on, how they are laid out, where they are read."""

from .key import CacheKey
from .layout import OPTIONAL_TAPS, Layout, best_queries
from .points import frozen_points, leaf_datasets
from .samples import Samples
from .storage import Manifest, TeacherCache
from .transform import RECORD, LoadTeacherOutputs

__all__ = [
    'OPTIONAL_TAPS',
    'RECORD',
    'CacheKey',
    'Layout',
    'LoadTeacherOutputs',
    'Manifest',
    'Samples',
    'TeacherCache',
    'best_queries',
    'frozen_points',
    'leaf_datasets',
]
