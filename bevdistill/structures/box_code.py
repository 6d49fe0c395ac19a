"""Encode and decode boxes as the ten numbers that a query predicts.

Code: ``cx, cy, log dx, log dy, cz, log dz, sin yaw, cos yaw, vx, vy`` (BEVFormer, arXiv 2203.17270; DETR3D) in the
conventions of mmdet3d >= 1.0: ``dx`` is the length along the heading, ``yaw`` grows counter-clockwise and is 0 along
LiDAR +x. Centres are gravity centres in metres.

Box: ``x, y, z, dx, dy, dz, yaw, vx, vy`` with z at the gravity centre.
"""

from __future__ import annotations

import torch
from torch import Tensor

CODE_SIZE = 10
BOX_SIZE = 9
CENTRE = (0, 1, 4)
"""Slots of a code that hold x, y, z."""


def encode_boxes(boxes: Tensor) -> Tensor:
    """Encode boxes (..., 9) with gravity centres as codes (..., 10).

    Args:
        boxes: ``x, y, z, dx, dy, dz, yaw, vx, vy`` in metres, radians, metres per second. Boxes of seven numbers
            (no velocity) are given NaN velocities, which the losses ignore.

    Returns:
        Codes, (..., 10).

    Raises:
        ValueError: If the last dimension is neither 7 nor 9.
    """
    if boxes.shape[-1] not in (7, BOX_SIZE):
        raise ValueError(f'expected boxes of 7 or 9 numbers, got shape {tuple(boxes.shape)}')
    x, y, z, dx, dy, dz, yaw = boxes[..., :7].unbind(dim=-1)
    code = torch.stack((x, y, dx.log(), dy.log(), z, dz.log(), yaw.sin(), yaw.cos()), dim=-1)
    velocity = boxes[..., 7:] if boxes.shape[-1] == BOX_SIZE else boxes.new_full((*boxes.shape[:-1], 2), float('nan'))
    return torch.cat((code, velocity), dim=-1)


def decode_boxes(codes: Tensor) -> Tensor:
    """Decode codes (..., 10) to boxes (..., 9) with gravity centres; yaw lies in (-pi, pi].

    Raises:
        ValueError: If the last dimension is not 10.
    """
    if codes.shape[-1] != CODE_SIZE:
        raise ValueError(f'expected codes of 10 numbers, got shape {tuple(codes.shape)}')
    x, y, log_dx, log_dy, z, log_dz, sin, cos, vx, vy = codes.unbind(dim=-1)
    yaw = torch.atan2(sin, cos)
    return torch.stack((x, y, z, log_dx.exp(), log_dy.exp(), log_dz.exp(), yaw, vx, vy), dim=-1)
