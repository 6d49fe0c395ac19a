"""Cast inputs of computations that half precision would spoil."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """Cast half precision to float32; keep float32, and float64 for gradient checks."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
