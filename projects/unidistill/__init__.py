"""UniDistill, a method to compare with; see README.md."""

from .feature import UniDistillFeatureLoss
from .relation import UniDistillRelationLoss
from .response import UniDistillResponseLoss

__all__ = ['UniDistillFeatureLoss', 'UniDistillRelationLoss', 'UniDistillResponseLoss']
