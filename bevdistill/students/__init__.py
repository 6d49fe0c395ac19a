"""Detectors that learn."""

from .bevformer import BEVFormer, BEVFormerHead

__all__ = ['BEVFormer', 'BEVFormerHead']
