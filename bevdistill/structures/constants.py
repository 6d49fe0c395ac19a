"""Cache small constant tensors per device."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

Numbers = tuple[float, ...] | tuple[tuple[float, ...], ...]


@lru_cache(maxsize=512)
def constant(values: Numbers, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a cached tensor of a few constant numbers.

    Each creation of a device tensor from host numbers copies them and synchronises, which a forward pass should not
    repeat.

    Args:
        values: The numbers, possibly nested.
        dtype: Type of the tensor.
        device: Where it lives.

    Returns:
        The tensor; it is shared by all callers and must not be written to.
    """
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def constant_like(values: Numbers, other: Tensor) -> Tensor:
    """Return a constant with the type and device of another tensor."""
    return constant(values, other.dtype, other.device)
