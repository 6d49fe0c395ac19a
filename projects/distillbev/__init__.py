"""DistillBEV, a method to compare with; see README.md."""

from .loss import DistillBEVLoss

__all__ = ['DistillBEVLoss']
