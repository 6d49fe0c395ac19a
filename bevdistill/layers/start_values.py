"""Start values of attention layers."""

from __future__ import annotations

import math

import torch
from torch import nn


def xavier_matrices(module: nn.Module) -> None:
    """Draw every matrix of a module Xavier-uniform; vectors keep their values."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)


def reset_sampling(offsets: nn.Linear, weights: nn.Linear, num_heads: int, num_groups: int, num_points: int) -> None:
    """Set the start values of the layers that predict sampling offsets and attention weights.

    Everything is zero but the bias of the offsets: head m looks along ``(cos 2 pi m / M, sin 2 pi m / M)``, scaled to
    a largest component of 1, and its point i starts ``i + 1`` cells away (Deformable DETR, appendix A.4).

    Args:
        offsets: Linear layer with ``num_heads * num_groups * num_points * 2`` outputs, in this order.
        weights: Linear layer with ``num_heads * num_groups * num_points`` outputs.
        num_heads: M.
        num_groups: Levels, or history entries times levels.
        num_points: Points of a head in a group.
    """
    angle_M = torch.arange(num_heads, dtype=torch.float32, device=offsets.weight.device) * (2 * math.pi / num_heads)
    direction_M2 = torch.stack((angle_M.cos(), angle_M.sin()), dim=-1)
    direction_M2 = direction_M2 / direction_M2.abs().amax(dim=-1, keepdim=True)
    reach_P = torch.arange(1, num_points + 1, dtype=torch.float32, device=direction_M2.device)
    bias = direction_M2[:, None, None, :] * reach_P[:, None]
    with torch.no_grad():
        offsets.weight.zero_()
        offsets.bias.copy_(bias.expand(-1, num_groups, -1, -1).flatten())
        weights.weight.zero_()
        weights.bias.zero_()


def reset_projection(linear: nn.Linear) -> None:
    """Draw the weight of a value or output projection Xavier-uniform and zero its bias."""
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
