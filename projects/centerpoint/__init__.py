"""CenterPoint as a teacher, with mmdet3d's classes and weights; see README.md."""

from .detector import BEVCenterPoint
from .head import OrderedCenterHead

__all__ = ['BEVCenterPoint', 'OrderedCenterHead']
