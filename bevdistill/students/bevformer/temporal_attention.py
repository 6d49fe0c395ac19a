"""Temporal self-attention of BEV queries into the previous and the present BEV map.

Legend: B samples, Q BEV queries, C channels, M heads, P points, 2 entries: history first, then the present.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import linear

from ...layers import FeatureLevels, reset_projection, reset_sampling, sample_deformable
from ...structures import full_precision

ENTRIES = 2


class History(NamedTuple):
    """History of a batch, for the layers of the encoder.

    Args:
        bev: Previous BEV map, turned into the present heading, (B, Q, C).
        exists: Which samples have one, (B,) bool; the rows of the others are ignored. None: all.
        current: The queries that entered the encoder, (B, Q, C): what the present half attends in every layer.
    """

    bev: Tensor
    exists: Tensor | None
    current: Tensor


class TemporalSelfAttention(BaseModule):
    """Deformable attention into history and present, averaged (BEVFormer, arXiv 2203.17270, equation 5).

    ``out = query + dropout(W * mean over entries of deformable_attention)``, where offsets and weights are predicted
    from the history concatenated with ``query + query_pos``. A sample without history attends its own running query
    in both entries; one with history attends the encoder's input as the present, as the original does.
    The residual is inside. Matrix products follow autocast, the rest is in float32 at least.

    Args:
        embed_dims: C.
        num_heads: M.
        num_points: P, points per head and entry.
        dropout: Probability on the output.

    Raises:
        ValueError: If the heads do not divide the channels.

    Note:
        For batches the original concatenates the history of other samples; here each sample has its own.
    """

    def __init__(self, embed_dims: int, num_heads: int = 8, num_points: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is not divisible by num_heads={num_heads}')
        self.num_heads = num_heads
        self.num_points = num_points
        self.sampling_offsets = nn.Linear(embed_dims * ENTRIES, num_heads * ENTRIES * num_points * 2)
        self.attention_weights = nn.Linear(embed_dims * ENTRIES, num_heads * ENTRIES * num_points)
        self.value_proj = nn.Linear(embed_dims, embed_dims)
        self.output_proj = nn.Linear(embed_dims, embed_dims)
        self.dropout = nn.Dropout(dropout)
        self.init_weights()

    def init_weights(self) -> None:
        """Set Deformable DETR's start values, with one group of offsets per entry."""
        reset_sampling(self.sampling_offsets, self.attention_weights, self.num_heads, ENTRIES, self.num_points)
        reset_projection(self.value_proj)
        reset_projection(self.output_proj)

    def forward(
        self,
        query_BQC: Tensor,
        query_pos_BQC: Tensor,
        references_BQ22: Tensor,
        levels: FeatureLevels,
        history: History | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            query_BQC: Running BEV queries.
            query_pos_BQC: Their position, used where offsets and weights are predicted, (B or 1, Q, C).
            references_BQ22: Reference (x, y) in [0, 1] for each entry, (B or 1, Q, 2, 2).
            levels: Size of the BEV grid.
            history: None if no sample has one.

        Returns:
            (B, Q, C), float32.
        """
        query_BQC = full_precision(query_BQC)
        entries = None if history is None else self._entries(query_BQC, history)
        predicted = self._predict(query_BQC, query_pos_BQC, None if entries is None else entries[0])
        shape = (self.num_heads, ENTRIES, self.num_points)
        offsets, weights = predicted.split((2 * math.prod(shape), math.prod(shape)), dim=-1)
        locations = levels.locations(references_BQ22, offsets.unflatten(-1, (*shape, 2)))
        # Along an axis that is not the last: there torch's softmax is slow over few numbers.
        weights = weights.unflatten(-1, shape).mT.softmax(dim=-2).mT / ENTRIES
        if entries is None:
            # Both entries look at the same map, so they are points of one level.
            value = self.value_proj(query_BQC)
            locations, weights = locations.flatten(3, 4)[:, :, :, None], weights.flatten(3)[:, :, :, None]
        else:
            value = torch.cat([self.value_proj(tokens_BQC) for tokens_BQC in entries], dim=1)
            levels = FeatureLevels.of(levels.sizes * ENTRIES, query_BQC.device)
        attended = sample_deformable(value.unflatten(-1, (self.num_heads, -1)), levels, locations, weights)
        return query_BQC + self.dropout(self.output_proj(attended))

    def _predict(self, query_BQC: Tensor, query_pos_BQC: Tensor, past_BQC: Tensor | None) -> Tensor:
        """Predict offsets and weights from ``(past, query + query_pos)``; without history the past is the query.

        The halves of the layers' matrices are applied one by one: nothing is concatenated, and the past, which has no
        gradient, costs no backward pass. Their sum is in float32 at least.
        """
        matrix = torch.cat((self.sampling_offsets.weight, self.attention_weights.weight))
        bias = torch.cat((self.sampling_offsets.bias, self.attention_weights.bias))
        of_past, of_present = matrix.chunk(2, dim=1)
        if past_BQC is None:
            # A position that all samples share is multiplied once.
            parts = linear(query_BQC, of_past + of_present), linear(query_pos_BQC, of_present, bias)
        else:
            parts = linear(past_BQC, of_past), linear(query_BQC + query_pos_BQC, of_present, bias)
        return full_precision(parts[0]) + full_precision(parts[1])

    @staticmethod
    def _entries(query_BQC: Tensor, history: History) -> tuple[Tensor, Tensor]:
        """Return the maps to attend, past and present, (B, Q, C); a sample without history has its query in both."""
        past_BQC, present_BQC = full_precision(history.bev), full_precision(history.current)
        if history.exists is None:
            return past_BQC, present_BQC
        exists_B11 = history.exists[:, None, None]
        return torch.where(exists_B11, past_BQC, query_BQC), torch.where(exists_B11, present_BQC, query_BQC)
