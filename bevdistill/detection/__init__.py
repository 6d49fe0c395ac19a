"""Build query-based BEV detectors: base, decoder, branches, heatmap head, matching, losses, coder."""

from .bev_detector import BEVDetector
from .branches import make_cls_branch, make_reg_branch, refine_references, reset_cls_bias, to_codes
from .coder import NMSFreeCoder
from .costs import BoxCodeL1Cost, SoftClassCost
from .gaussian import gaussian_foreground, gaussian_radius, hard_foreground, heatmap_targets
from .heatmap import AuxHeatmapMixin, HeatmapLoss
from .hungarian import UNMATCHED, HungarianMatcher, solve_assignments, solve_together
from .query_decoder import DecoderOutputs, QueryDecoder
from .query_head import QueryHead
from .set_loss import CODE_WEIGHTS, SetLoss, gather_targets

__all__ = [
    'CODE_WEIGHTS',
    'UNMATCHED',
    'AuxHeatmapMixin',
    'BEVDetector',
    'BoxCodeL1Cost',
    'DecoderOutputs',
    'HeatmapLoss',
    'HungarianMatcher',
    'NMSFreeCoder',
    'QueryDecoder',
    'QueryHead',
    'SetLoss',
    'SoftClassCost',
    'gather_targets',
    'gaussian_foreground',
    'gaussian_radius',
    'hard_foreground',
    'heatmap_targets',
    'make_cls_branch',
    'make_reg_branch',
    'refine_references',
    'reset_cls_bias',
    'solve_assignments',
    'solve_together',
    'to_codes',
]
