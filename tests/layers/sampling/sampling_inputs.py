"""Inputs of the tests of sampling: three levels of unlike sizes, locations in and around them."""

from __future__ import annotations

import torch

from bevdistill.layers import FeatureLevels

SIZES = [(3, 4), (2, 5), (1, 1)]
LEVELS = FeatureLevels.of(SIZES)


def asked(*shape, channels=5, dtype=torch.float64, images=2, heads=4):
    """Value of three levels, locations in and around them, weights, all with gradients."""
    tensors = (
        torch.randn(images, LEVELS.num_tokens, heads, channels, dtype=dtype),
        torch.rand(*shape, heads, 3, 2, 2, dtype=dtype) * 1.8 - 0.4,
        torch.randn(*shape, heads, 3, 2, dtype=dtype),
    )
    return [tensor.requires_grad_() for tensor in tensors]
