"""Detectors that learn, and an image backbone for them."""

from .bevformer import BEVFormer, BEVFormerHead
from .vovnet import VoVNet

__all__ = ['BEVFormer', 'BEVFormerHead', 'VoVNet']
