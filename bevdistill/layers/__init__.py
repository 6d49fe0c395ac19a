"""Blocks that students and teachers share."""

from .bev_detector import BEVDetector
from .branches import make_cls_branch, make_reg_branch, refine_references, reset_cls_bias, to_codes
from .deformable_attention import DeformableAttention, ask, reset_projection, reset_sampling
from .feature_levels import FeatureLevels
from .heatmap_head import AuxHeatmapMixin
from .precision import full_precision
from .pretrained import Pretrained, build_part, take_pretrained
from .query_decoder import DecoderOutputs, QueryDecoder
from .sampling import sample_deformable, sample_images

__all__ = [
    'AuxHeatmapMixin',
    'BEVDetector',
    'DecoderOutputs',
    'DeformableAttention',
    'FeatureLevels',
    'Pretrained',
    'QueryDecoder',
    'ask',
    'build_part',
    'full_precision',
    'make_cls_branch',
    'make_reg_branch',
    'refine_references',
    'reset_cls_bias',
    'reset_projection',
    'reset_sampling',
    'sample_deformable',
    'sample_images',
    'take_pretrained',
    'to_codes',
]
