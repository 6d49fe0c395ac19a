"""Cross-modal knowledge distillation in bird's-eye view, a plug-in of MMDetection3D.

Importing the package registers its modules in mmdet3d's registries.
"""

from . import (
    datasets,
    distillers,
    engine,
    evaluation,
    layers,
    losses,
    matching,
    structures,
    students,
    teachers,
    visualization,
)

__version__ = '0.1.0'

__all__ = [
    'datasets',
    'distillers',
    'engine',
    'evaluation',
    'layers',
    'losses',
    'matching',
    'structures',
    'students',
    'teachers',
    'visualization',
]
