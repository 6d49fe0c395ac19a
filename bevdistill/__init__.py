"""Cross-modal knowledge distillation in bird's-eye view, a plug-in of MMDetection3D.

Importing the package makes its modules known to mmdet3d's registries, which import them when they are first asked for
one (:mod:`bevdistill.registration`); :func:`register_all` imports them at once. Rooms are imported when they are used.
"""

from typing import TYPE_CHECKING

from .lazy import lazy_names
from .registration import register_all, register_on_demand

if TYPE_CHECKING:
    from . import (
        checkpoints,
        cli,
        datasets,
        detection,
        distillers,
        distributed,
        engine,
        evaluation,
        layers,
        losses,
        structures,
        students,
        teacher_cache,
        teachers,
        visualization,
    )

__version__ = '0.2.0'

__all__ = [
    'checkpoints',
    'cli',
    'datasets',
    'detection',
    'distillers',
    'distributed',
    'engine',
    'evaluation',
    'layers',
    'losses',
    'register_all',
    'structures',
    'students',
    'teacher_cache',
    'teachers',
    'visualization',
]

__getattr__ = lazy_names(__name__)
register_on_demand()
