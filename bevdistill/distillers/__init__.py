"""Distil a teacher into a student: the distiller, the frozen teacher, taps and the wiring check."""

from .bev_distiller import BEVDistiller
from .frozen_teacher import FrozenTeacher, as_float32
from .pseudo_labels import PseudoLabels
from .schedule import WeightSchedule
from .taps import check_wiring, offered_taps, query_gaps
from .teacher_checkpoint import TeacherCheckpoint
from .teacher_init import TeacherInit

__all__ = [
    'BEVDistiller',
    'FrozenTeacher',
    'PseudoLabels',
    'TeacherCheckpoint',
    'TeacherInit',
    'WeightSchedule',
    'as_float32',
    'check_wiring',
    'offered_taps',
    'query_gaps',
]
