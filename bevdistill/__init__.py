"""Cross-modal knowledge distillation in bird's-eye view, a plug-in of MMDetection3D.

Importing the package registers its modules in mmdet3d's registries.
"""

from . import (
    checkpoints,
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

__version__ = '0.1.0'

__all__ = [
    'checkpoints',
    'datasets',
    'detection',
    'distillers',
    'distributed',
    'engine',
    'evaluation',
    'layers',
    'losses',
    'structures',
    'students',
    'teacher_cache',
    'teachers',
    'visualization',
]
