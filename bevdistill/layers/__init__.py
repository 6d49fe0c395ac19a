"""Blocks that students and teachers share: attention, its sampling, feature levels."""

from .deformable_attention import DeformableAttention, ask, reset_projection, reset_sampling
from .feature_levels import FeatureLevels
from .sampling import sample_deformable, sample_images

__all__ = [
    'DeformableAttention',
    'FeatureLevels',
    'ask',
    'reset_projection',
    'reset_sampling',
    'sample_deformable',
    'sample_images',
]
