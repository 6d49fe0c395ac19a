"""BEVDistill with a response of all queries and all cells, a method of this project; see README.md."""

from .focal_heatmap import FocalHeatmapLoss
from .focal_response import FocalResponseTerm

__all__ = ['FocalHeatmapLoss', 'FocalResponseTerm']
