"""Precision of computations that must not run in half precision."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """Convert half precision to float32; keep float32, and float64, in which gradients are checked."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
