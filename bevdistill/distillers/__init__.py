"""Distil a teacher into a student: the distiller, the frozen teacher, taps and the wiring check."""

from .bev_distiller import BEVDistiller
from .frozen_teacher import FrozenTeacher, as_float32
from .inheritance import Inheritance
from .schedule import WeightSchedule
from .taps import check_wiring, offered_taps, query_gaps
from .teacher_checkpoint import TeacherCheckpoint
from .teacher_targets import TeacherTargets

__all__ = [
    'BEVDistiller',
    'FrozenTeacher',
    'Inheritance',
    'TeacherCheckpoint',
    'TeacherTargets',
    'WeightSchedule',
    'as_float32',
    'check_wiring',
    'offered_taps',
    'query_gaps',
]
