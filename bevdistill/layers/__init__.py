"""Blocks that students and teachers share: attention, its sampling, convolutions, voxels, overlaps of boxes."""

from .deformable_attention import DeformableAttention, predict_sampling, reset_attentions
from .deformable_convolution import DeformableConvolution
from .feature_levels import FeatureLevels
from .sampling import sample_deformable, sample_images, sample_views
from .start_values import reset_projection, reset_sampling, xavier_matrices

__all__ = [
    'DeformableAttention',
    'DeformableConvolution',
    'FeatureLevels',
    'predict_sampling',
    'reset_attentions',
    'reset_projection',
    'reset_sampling',
    'sample_deformable',
    'sample_images',
    'sample_views',
    'xavier_matrices',
]
