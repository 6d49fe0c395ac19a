"""Matching of predictions to targets, targets drawn on the BEV grid, the set loss, and decoding."""

from .coder import NMSFreeCoder
from .costs import BoxCodeL1Cost
from .gaussian import gaussian_foreground, gaussian_radius, hard_foreground, heatmap_targets
from .heatmap_loss import HeatmapLoss
from .hungarian import UNMATCHED, HungarianMatcher, solve_assignments
from .set_loss import CODE_WEIGHTS, SetLoss, gather_targets
from .soft_class_cost import SoftClassCost

__all__ = [
    'CODE_WEIGHTS',
    'UNMATCHED',
    'BoxCodeL1Cost',
    'HeatmapLoss',
    'HungarianMatcher',
    'NMSFreeCoder',
    'SetLoss',
    'SoftClassCost',
    'gather_targets',
    'gaussian_foreground',
    'gaussian_radius',
    'hard_foreground',
    'heatmap_targets',
    'solve_assignments',
]
