"""UVTR's distillation (arXiv 2206.00630) on BEV maps: features at the student's predicted centres."""

from .partial_l2 import SampledPartialL2

__all__ = ['SampledPartialL2']
