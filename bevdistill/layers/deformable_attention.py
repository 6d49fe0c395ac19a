"""Deformable attention: levels of a token sequence, sampling, initial offsets, and the float32 form of mmcv's module.

Legend: B batch, S tokens of all levels, M heads, D channels of a head, Q queries, L levels, P points, C = M * D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttention,
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..structures.constants import constant, constant_like
from .precision import full_precision

MAX_IM2COL_STEP = 64
"""Samples that the compiled kernel takes at once; mmcv's default."""


@dataclass(frozen=True)
class FeatureLevels:
    """Sizes of the maps whose tokens are concatenated level after level, row by row.

    Args:
        sizes: (height, width) of each level.
        shapes: The same as an int64 tensor (L, 2), where the kernels want it.
        starts: Index of each level's first token, (L,).
    """

    sizes: tuple[tuple[int, int], ...]
    shapes: Tensor
    starts: Tensor

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], device: torch.device | str | None = None) -> FeatureLevels:
        """Describe levels of the given sizes."""
        sizes = tuple((int(height), int(width)) for height, width in sizes)
        counts = [height * width for height, width in sizes]
        starts = [sum(counts[:level]) for level in range(len(counts))]
        device = torch.device('cpu' if device is None else device)
        return cls(sizes, constant(sizes, torch.long, device), constant(tuple(starts), torch.long, device))

    def extents(self, like: Tensor) -> Tensor:
        """(width, height) of each level, (L, 2), of the type of a tensor: what offsets in cells are divided by."""
        return constant_like(tuple((width, height) for height, width in self.sizes), like)

    @property
    def num_tokens(self) -> int:
        """Tokens of all levels together, S."""
        return sum(height * width for height, width in self.sizes)


def im2col_step(batch: int) -> int:
    """Largest step up to :data:`MAX_IM2COL_STEP` that divides the batch, as the compiled kernel demands."""
    return next(step for step in range(min(batch, MAX_IM2COL_STEP), 0, -1) if batch % step == 0)


def sample_deformable(value_BSMD: Tensor, levels: FeatureLevels, locations: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum of bilinear samples (Deformable DETR, arXiv 2010.04159, equation 3), in float32 at least.

    Args:
        value_BSMD: Projected tokens of all levels.
        levels: Their sizes.
        locations: (B, Q, M, L, P, 2), x and y in [0, 1] of a level's map; zero outside.
        weights: (B, Q, M, L, P).

    Returns:
        (B, Q, C), the heads concatenated.
    """
    value_BSMD = full_precision(value_BSMD)
    locations, weights = locations.to(value_BSMD), weights.to(value_BSMD)
    if value_BSMD.shape[1] != levels.num_tokens:
        raise ValueError(f'{value_BSMD.shape[1]} tokens do not fill levels of sizes {levels.sizes}')
    with torch.autocast(value_BSMD.device.type, enabled=False):
        if value_BSMD.is_cuda:
            return MultiScaleDeformableAttnFunction.apply(
                value_BSMD.contiguous(),
                levels.shapes,
                levels.starts,
                locations.contiguous(),
                weights.contiguous(),
                im2col_step(value_BSMD.shape[0]),
            )
        return multi_scale_deformable_attn_pytorch(value_BSMD, levels.sizes, locations, weights)


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
            offsets = self.sampling_offsets(asking).view(*shape, 2) / levels.extents(query)[:, None]
            locations = full_precision(reference_points)[:, :, None, :, None] + offsets
            weights = self.attention_weights(asking).view(*shape[:3], -1).softmax(dim=-1).view(shape)
            tokens = self.value_proj(value).unflatten(-1, (self.num_heads, -1))
            return self.dropout(self.output_proj(sample_deformable(tokens, levels, locations, weights))) + identity
