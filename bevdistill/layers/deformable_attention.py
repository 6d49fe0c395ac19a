"""Deformable attention over feature levels: mmcv's module with sampling in float32.

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
from .start_values import xavier_matrices


def predict_sampling(query: Tensor, offsets: nn.Linear, weights: nn.Linear) -> Tensor:
    """Predict sampling offsets and attention weights (before the softmax) of queries by one matrix product.

    Args:
        query: (..., C).
        offsets: Layer that predicts offsets.
        weights: Layer that predicts weights.

    Returns:
        (..., outputs of both layers), offsets first, in float32 at least; the product itself follows autocast.
    """
    matrix, bias = torch.cat((offsets.weight, weights.weight)), torch.cat((offsets.bias, weights.bias))
    return full_precision(functional.linear(query, matrix, bias))


def reset_attentions(module: nn.Module) -> None:
    """Draw every matrix of a module Xavier-uniform, then give its deformable attentions their own start values."""
    xavier_matrices(module)
    for child in module.modules():
        if isinstance(child, DeformableAttention):
            child.init_weights()


@MODELS.register_module()
class DeformableAttention(MultiScaleDeformableAttention):
    """mmcv's multi-scale deformable attention, without synchronising host and device.

    Parameters and start values are mmcv's. The sizes of the maps come as :class:`FeatureLevels`: mmcv's own forward
    pass compares sizes on the device with the number of tokens, which makes the host wait in every layer.

    Note:
        Sampling locations, softmax and sums are in float32 at least: locations lose up to a cell in float16. The matrix
        products follow autocast; the originals force float32 on all of it.

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
        identity = full_precision(query if identity is None else identity)
        query_at = query if query_pos is None else query + query_pos
        shape = (*query.shape[:2], self.num_heads, self.num_levels, self.num_points)
        predicted = predict_sampling(query_at, self.sampling_offsets, self.attention_weights)
        offsets, weights = predicted.split((self.sampling_offsets.out_features, math.prod(shape[2:])), dim=-1)
        locations = levels.locations(full_precision(reference_points), offsets.unflatten(-1, (*shape[2:], 2)))
        tokens = self.value_proj(query if value is None else value).unflatten(-1, (self.num_heads, -1))
        sampled = sample_deformable(tokens, levels, locations, weights.unflatten(-1, shape[2:]), softmax=True)
        return self.dropout(self.output_proj(sampled)) + identity
