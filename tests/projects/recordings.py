"""Recorded losses of the methods' releases (golden folder ``methods``): their arrays as this package's types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bevdistill.structures import BEVGrid, BEVOutputs, Targets

Arrays = dict[str, np.ndarray]


def tensors(arrays: Arrays, prefix: str) -> dict[str, Tensor]:
    """Arrays whose name begins with `prefix`, without it."""
    return {name[len(prefix) :]: torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)}


def side(bev_BCHW: Tensor, limits: Sequence[float], **fields: Any) -> BEVOutputs:
    """Outputs with a map over ``(x_min, y_min, x_max, y_max)`` metres, and made-up queries where none are given."""
    x_min, y_min, x_max, y_max = map(float, limits)
    batch, _, rows, cols = bev_BCHW.shape
    defaults = {
        name: torch.zeros(1, batch, 2, size)
        for name, size in dict(states=4, logits=10, codes=10, references=3).items()
    }
    return BEVOutputs(
        grid=BEVGrid((x_min, y_min, -5.0, x_max, y_max, 3.0), rows, cols), bev=bev_BCHW, **(defaults | fields)
    )


def targets_of(boxes_N9: Tensor, counts: Sequence[int]) -> Targets:
    """Boxes of samples one after the other, of one class."""
    boxes = boxes_N9.split(list(counts))
    return Targets(boxes, tuple(torch.zeros(len(each), dtype=torch.long) for each in boxes))


def assert_loss(got: Tensor, want: Tensor) -> None:
    """Equal to 1e-4."""
    torch.testing.assert_close(got, want.squeeze(), rtol=1e-4, atol=1e-6)


def assert_gradient(got: Tensor, want: Tensor) -> None:
    """Equal to 1e-3 of the largest entry."""
    largest = float(want.abs().max())
    assert largest > 0
    torch.testing.assert_close(got, want.view_as(got), rtol=0, atol=1e-3 * largest)
