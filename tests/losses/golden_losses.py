"""Recorded arrays of the original release as outputs and targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from bevdistill.structures import BEVGrid, BEVOutputs, Targets

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
TOLERANCE = dict(rtol=1e-4, atol=1e-4)


def tensors(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)}


def modern_boxes(old_bottom: Tensor) -> Tensor:
    """x, y, z_bottom, w, l, h, yaw_old, v of mmdet3d 0.17 to the present convention with gravity centres."""
    x, y, z, w, length, h, yaw, vx, vy = old_bottom.unbind(-1)
    return torch.stack((x, y, z + h / 2, length, w, h, -yaw - torch.pi / 2, vx, vy), dim=-1)


def modern_codes(old: Tensor) -> Tensor:
    """Box codes of 0.17 to the present convention: swap the sizes, sin' = -cos, cos' = -sin."""
    cx, cy, log_w, log_l, cz, log_h, sin, cos, vx, vy = old.unbind(-1)
    return torch.stack((cx, cy, log_l, log_w, cz, log_h, -cos, -sin, vx, vy), dim=-1)


def outputs_of(bev: Tensor, **fields: Any) -> BEVOutputs:
    """Outputs of one sample with made-up queries where the case has none."""
    rows, cols = bev.shape[-2:]
    defaults: dict[str, Any] = dict(
        states=torch.zeros(1, 1, 2, 4),
        logits=torch.zeros(1, 1, 2, 10),
        codes=torch.zeros(1, 1, 2, 10),
        references=torch.zeros(1, 1, 2, 3),
    )
    return BEVOutputs(grid=BEVGrid(RANGE, rows, cols), bev=bev, **{**defaults, **fields})


def targets_of(old_boxes: Tensor) -> Targets:
    return Targets((modern_boxes(old_boxes),), (torch.zeros(len(old_boxes), dtype=torch.long),))


def centres_as_codes(sampling_points: Tensor) -> dict[str, Tensor]:
    """Query fields whose predicted centres are the given points of [-1, 1]."""
    layers, batch, queries, _ = sampling_points.shape
    codes = torch.zeros(layers, batch, queries, 10)
    codes[..., :2] = BEVGrid(RANGE, 1, 1).denormalise((sampling_points + 1) / 2)
    return dict(
        codes=codes,
        states=torch.zeros(layers, batch, queries, 4),
        logits=torch.zeros(layers, batch, queries, 10),
        references=torch.zeros(layers, batch, queries, 3),
    )
