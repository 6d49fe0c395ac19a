"""Matching of predictions to targets, targets drawn on the BEV grid, and the set loss."""

from .gaussian import gaussian_foreground, gaussian_radius, hard_foreground, heatmap_targets
from .heatmap_loss import HeatmapLoss

__all__ = ['HeatmapLoss', 'gaussian_foreground', 'gaussian_radius', 'hard_foreground', 'heatmap_targets']
