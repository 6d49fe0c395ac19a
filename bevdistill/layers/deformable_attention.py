"""Deformable attention: start values, what queries ask for, and the float32 form of mmcv's module.

Legend: B batch, S tokens of all levels, M heads, Q queries, L levels, P points, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttention
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from ..structures.precision import full_precision
from .feature_levels import FeatureLevels
from .sampling import sample_deformable


def ask(query: Tensor, offsets: nn.Linear, weights: nn.Linear) -> Tensor:
    """Sampling offsets and attention weights (before the softmax) of queries, side by side, by one matrix product.

    Args:
        query: (..., C).
        offsets: Layer that predicts offsets.
        weights: Layer that predicts weights.

    Returns:
        (..., outputs of both layers), offsets first.
    """
    return functional.linear(
        query, torch.cat((offsets.weight, weights.weight)), torch.cat((offsets.bias, weights.bias))
    )


def reset_sampling(offsets: nn.Linear, weights: nn.Linear, num_heads: int, num_groups: int, num_points: int) -> None:
    """Start values of the layers that predict sampling offsets and attention weights.

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
    """Xavier-uniform weight, zero bias: the start of value and output projections."""
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)


@MODELS.register_module()
class DeformableAttention(MultiScaleDeformableAttention):
    """mmcv's multi-scale deformable attention, computed in float32 at least and without waiting for the device.

    Parameters and start values are mmcv's. What it attends comes as :class:`FeatureLevels`: mmcv's own forward pass
    compares sizes on the device with the number of tokens, which makes the host wait in every layer.

    Note:
        The originals force float32 here too: sampling locations lose up to a cell in float16.

    Args:
        batch_first: Must be True: tensors are (B, Q, C).
        **kwargs: Of mmcv's module.

    Raises:
        ValueError: If `batch_first` is False.
    """

    def __init__(self, batch_first: bool = True, **kwargs: Any) -> None:
        if not batch_first:
            raise ValueError('DeformableAttention takes tensors (B, Q, C): set batch_first=True')
        super().__init__(batch_first=True, **kwargs)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        identity: Tensor | None = None,
        query_pos: Tensor | None = None,
        *,
        reference_points: Tensor,
        levels: FeatureLevels,
        **kwargs: object,
    ) -> Tensor:
        """Attend.

        Args:
            query: (B, Q, C).
            key: Not used.
            value: Tokens of all levels, (B, S, C); None: the queries.
            identity: What the result is added to; None: the queries.
            query_pos: Position of the queries, added where offsets and weights are predicted.
            reference_points: (x, y) in [0, 1] for each level, (B, Q, L, 2).
            levels: Sizes of the levels.
            **kwargs: Not used; what a transformer layer hands to its other attentions comes along.

        Returns:
            (B, Q, C), float32 at least.
        """
        with torch.autocast(query.device.type, enabled=False):
            query = full_precision(query)
            value = query if value is None else full_precision(value)
            identity = query if identity is None else full_precision(identity)
            asking = query if query_pos is None else query + full_precision(query_pos)
            shape = (*query.shape[:2], self.num_heads, self.num_levels, self.num_points)
            asked = ask(asking, self.sampling_offsets, self.attention_weights)
            offsets, weights = asked.split((self.sampling_offsets.out_features, math.prod(shape[2:])), dim=-1)
            offsets = offsets.unflatten(-1, (*shape[2:], 2)) / levels.extents(query)[:, None]
            locations = full_precision(reference_points)[:, :, None, :, None] + offsets
            weights = weights.unflatten(-1, (self.num_heads, -1)).softmax(dim=-1).view(shape)
            tokens = self.value_proj(value).unflatten(-1, (self.num_heads, -1))
            return self.dropout(self.output_proj(sample_deformable(tokens, levels, locations, weights))) + identity
