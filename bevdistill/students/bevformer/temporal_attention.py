"""Temporal self-attention of BEV queries into the previous and the present BEV map.

Legend: B samples, Q BEV queries, C channels, M heads, P points, 2 entries: history first, then the present.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...layers import FeatureLevels, full_precision, reset_projection, reset_sampling, sample_deformable

ENTRIES = 2


class History(NamedTuple):
    """What a sequence remembers, for the layers of the encoder.

    Args:
        bev: Previous BEV map, turned into the present heading, (B, Q, C).
        exists: Which samples have one, (B,) bool; the rows of the others are ignored.
        current: The queries that entered the encoder, (B, Q, C): what the present half attends in every layer.
    """

    bev: Tensor
    exists: Tensor
    current: Tensor


class TemporalSelfAttention(BaseModule):
    """Deformable attention into history and present, averaged (BEVFormer, arXiv 2203.17270, equation 5).

    ``out = query + dropout(W * mean over entries of deformable_attention)``, where offsets and weights are predicted
    from the history concatenated with ``query + query_pos``. A sample without history attends its own running query
    in both entries; one with history attends the encoder's input as the present, as the original does.
    The residual is inside. Computed in float32.

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
        """Deformable DETR's start values, with one group of offsets per entry."""
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
            query_pos_BQC: Their position, used where offsets and weights are predicted.
            references_BQ22: Reference (x, y) in [0, 1] for each entry, (B or 1, Q, 2, 2).
            levels: Size of the BEV grid, once without history, once per entry with it.
            history: None if no sample has one.

        Returns:
            (B, Q, C), float32.
        """
        with torch.autocast(query_BQC.device.type, enabled=False):
            query_BQC = full_precision(query_BQC)
            past_BQC, tokens = self._tokens(query_BQC, history)
            asking = torch.cat((past_BQC, query_BQC + full_precision(query_pos_BQC)), dim=-1)
            shape = (*query_BQC.shape[:2], self.num_heads, ENTRIES, self.num_points)
            size_2 = levels.shapes[0].flip(-1).to(query_BQC.dtype)
            offsets = self.sampling_offsets(asking).view(*shape, 2) / size_2
            locations = references_BQ22[:, :, None, :, None] + offsets
            weights = self.attention_weights(asking).view(shape).softmax(dim=-1) / ENTRIES
            if history is None:
                # Both entries look at the same map, so they are points of one level.
                locations, weights = locations.flatten(3, 4)[:, :, :, None], weights.flatten(3)[:, :, :, None]
            value = self.value_proj(tokens).unflatten(-1, (self.num_heads, -1))
            attended = sample_deformable(value, levels, locations, weights)
            return query_BQC + self.dropout(self.output_proj(attended))

    @staticmethod
    def _tokens(query_BQC: Tensor, history: History | None) -> tuple[Tensor, Tensor]:
        """History for predicting offsets, (B, Q, C), and tokens to attend: (B, Q, C), or (B, 2 Q, C) with history."""
        if history is None:
            return query_BQC, query_BQC
        exists_B11 = history.exists[:, None, None]
        past_BQC = torch.where(exists_B11, full_precision(history.bev), query_BQC)
        present_BQC = torch.where(exists_B11, full_precision(history.current), query_BQC)
        return past_BQC, torch.cat((past_BQC, present_BQC), dim=1)
