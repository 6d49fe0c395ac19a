"""Keep the outputs of a teacher on disk: key, storage, samples, writer, and a teacher that reads them."""

from .cached_teacher import CachedTeacher
from .follow import follow_teacher_cache
from .frozen_points import frozen_points, leaf_datasets
from .key import CacheKey
from .manifest import CacheManifest
from .record_layout import OPTIONAL_TAPS, RecordLayout, best_queries
from .samples import Samples
from .storage import TeacherCache
from .transform import RECORD, LoadTeacherOutputs
from .writer import CacheWriter

__all__ = [
    'OPTIONAL_TAPS',
    'RECORD',
    'CacheKey',
    'CacheManifest',
    'CacheWriter',
    'CachedTeacher',
    'LoadTeacherOutputs',
    'RecordLayout',
    'Samples',
    'TeacherCache',
    'best_queries',
    'follow_teacher_cache',
    'frozen_points',
    'leaf_datasets',
]
