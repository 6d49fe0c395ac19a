"""What of a LiDAR teacher a camera can be taught: three candidates for a recipe of this project; see README.md."""

from .label_part import LabelPartLoss
from .ray_heatmap import RayHeatmapLoss
from .spread import SpreadDenseLoss

__all__ = ['LabelPartLoss', 'RayHeatmapLoss', 'SpreadDenseLoss']
