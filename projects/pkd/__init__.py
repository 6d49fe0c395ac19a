"""PKD on BEV maps, a method to compare with; see README.md."""

from .pearson_bev import PearsonBEVLoss

__all__ = ['PearsonBEVLoss']
