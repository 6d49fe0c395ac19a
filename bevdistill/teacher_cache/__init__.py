"""Keep the outputs of a teacher on disk: key, storage, samples, writer, and a teacher that reads them."""

from .cached_teacher import CachedTeacher
from .follow import follow_teacher_cache
from .key import CacheKey
from .layout import OPTIONAL_TAPS, Layout, best_queries
from .points import frozen_points, leaf_datasets
from .samples import Samples
from .storage import Manifest, TeacherCache
from .transform import RECORD, LoadTeacherOutputs
from .writer import CacheWriter

__all__ = [
    'OPTIONAL_TAPS',
    'RECORD',
    'CacheKey',
    'CacheWriter',
    'CachedTeacher',
    'Layout',
    'LoadTeacherOutputs',
    'Manifest',
    'Samples',
    'TeacherCache',
    'best_queries',
    'follow_teacher_cache',
    'frozen_points',
    'leaf_datasets',
]
