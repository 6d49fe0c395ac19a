"""Entry points for other programs: detect in images of any car, export a student, facts about a config, FLOPs."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .moments import Calibration, Detection, Moment, prepare
    from .onnx_export import export_program
    from .student import Stream, Student, detect, infer, init_student

__all__ = [
    'Calibration',
    'Detection',
    'Moment',
    'Stream',
    'Student',
    'detect',
    'export_program',
    'infer',
    'init_student',
    'prepare',
]

__getattr__ = lazy_names(__name__)
