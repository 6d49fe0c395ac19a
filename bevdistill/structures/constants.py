"""Small constant tensors that are moved to each device once."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

Numbers = tuple[float, ...] | tuple[tuple[int, ...], ...]


@lru_cache(maxsize=512)
def constant(values: Numbers, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of a few numbers that never change.

    Making a tensor from numbers of the host copies them to the device and makes the host wait for it, so that a
    forward pass should not do it again and again.

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
    """A constant of the type and on the device of another tensor."""
    return constant(values, other.dtype, other.device)
