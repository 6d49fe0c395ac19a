"""Sampling of deformable attention: one interface and its backends."""

from .backend import BACKENDS, Backend, backend_of, lists_of, use_backend
from .interface import sample_deformable, sample_images, sample_views

__all__ = [
    'BACKENDS',
    'Backend',
    'backend_of',
    'lists_of',
    'sample_deformable',
    'sample_images',
    'sample_views',
    'use_backend',
]
