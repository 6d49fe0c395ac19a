"""Small constant tensors, copied to each device once."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

Numbers = tuple[float, ...] | tuple[tuple[int, ...], ...]


@lru_cache(maxsize=512)
def constant(values: Numbers, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a tensor of a few numbers that never change.

    Making a tensor from host numbers copies them to the device and synchronises with it, which a forward pass should
    not repeat.

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
    """Return a constant of the type and on the device of another tensor."""
    return constant(values, other.dtype, other.device)
