"""Blocks that students and teachers share: attention, its sampling, feature levels, start values."""

from .deformable_attention import DeformableAttention, predict_sampling, reset_attentions
from .feature_levels import FeatureLevels
from .sampling import sample_deformable, sample_images
from .start_values import reset_projection, reset_sampling, xavier_matrices

__all__ = [
    'DeformableAttention',
    'FeatureLevels',
    'predict_sampling',
    'reset_attentions',
    'reset_projection',
    'reset_sampling',
    'sample_deformable',
    'sample_images',
    'xavier_matrices',
]
