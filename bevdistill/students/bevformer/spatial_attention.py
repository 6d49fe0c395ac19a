"""Spatial cross-attention of BEV queries into camera features.

Legend: B samples, N cameras, Q BEV queries, V visible queries of a camera, C channels, S tokens of a camera, M heads,
L levels, P points per head and level, D pillar points.
"""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...layers import FeatureLevels, full_precision, reset_projection, reset_sampling, sample_deformable
from .projection import CameraHits


class PillarDeformableAttention(BaseModule):
    """Deformable attention around the projections of a pillar's points; no output projection.

    Point p of a head and level starts from pillar point ``p mod D``.

    Args:
        embed_dims: C.
        num_heads: M.
        num_levels: L.
        num_points: P, a multiple of the number of pillar points.

    Raises:
        ValueError: If the heads do not divide the channels.
    """

    def __init__(self, embed_dims: int, num_heads: int = 8, num_levels: int = 1, num_points: int = 8) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is not divisible by num_heads={num_heads}')
        self.num_heads = num_heads
        self.num_levels = num_levels
        self.num_points = num_points
        self.sampling_offsets = nn.Linear(embed_dims, num_heads * num_levels * num_points * 2)
        self.attention_weights = nn.Linear(embed_dims, num_heads * num_levels * num_points)
        self.value_proj = nn.Linear(embed_dims, embed_dims)
        self.init_weights()

    def init_weights(self) -> None:
        """Deformable DETR's start values."""
        reset_sampling(self.sampling_offsets, self.attention_weights, self.num_heads, self.num_levels, self.num_points)
        reset_projection(self.value_proj)

    def forward(self, query: Tensor, value: Tensor, points: Tensor, levels: FeatureLevels) -> Tensor:
        """Attend.

        Args:
            query: (B * N, V, C).
            value: (B * N, S, C).
            points: Pillar points in the image, (B * N, V, D, 2), in [0, 1].
            levels: Sizes of the camera's feature maps.

        Returns:
            (B * N, V, C).

        Raises:
            ValueError: If the pillar points do not divide P, or the levels are not as built.
        """
        batch, visible, _ = query.shape
        num_pillar = points.shape[2]
        if self.num_points % num_pillar:
            raise ValueError(f'num_points={self.num_points} is not a multiple of the {num_pillar} pillar points')
        if len(levels.sizes) != self.num_levels:
            raise ValueError(f'the camera attention was built for {self.num_levels} feature levels, got {levels.sizes}')
        shape = (batch, visible, self.num_heads, self.num_levels, self.num_points)
        size_L2 = levels.shapes.flip(-1)[:, None].to(query.dtype)
        offsets = self.sampling_offsets(query).view(*shape, 2) / size_L2
        offsets = offsets.view(*shape[:-1], self.num_points // num_pillar, num_pillar, 2)
        locations = (points.to(offsets)[:, :, None, None, None] + offsets).view(*shape, 2)
        weights = self.attention_weights(query).view(*shape[:3], -1).softmax(dim=-1).view(shape)
        value = self.value_proj(value).unflatten(-1, (self.num_heads, -1))
        return sample_deformable(value, levels, locations, weights)


class SpatialCrossAttention(BaseModule):
    """Each query attends the cameras that see its pillar; their results are averaged.

    ``out = query + dropout(W * mean over seeing cameras of deformable_attention(query, camera))`` (BEVFormer, arXiv
    2203.17270, equation 4). The residual is inside. Computed in float32.

    Args:
        embed_dims: C.
        num_heads: M.
        num_levels: L.
        num_points: Sampling points per head and level.
        dropout: Probability on the output.
    """

    def __init__(
        self, embed_dims: int, num_heads: int = 8, num_levels: int = 1, num_points: int = 8, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.deformable_attention = PillarDeformableAttention(embed_dims, num_heads, num_levels, num_points)
        self.output_proj = nn.Linear(embed_dims, embed_dims)
        self.dropout = nn.Dropout(dropout)
        self.init_weights()

    def init_weights(self) -> None:
        """Start values of this module and the attention inside."""
        self.deformable_attention.init_weights()
        reset_projection(self.output_proj)

    def forward(self, query_BQC: Tensor, value_BNSC: Tensor, hits: CameraHits, levels: FeatureLevels) -> Tensor:
        """Attend.

        Args:
            query_BQC: BEV queries.
            value_BNSC: Camera tokens, levels concatenated.
            hits: Which queries each camera sees.
            levels: Sizes of the camera's feature maps.

        Returns:
            (B, Q, C), float32.
        """
        with torch.autocast(query_BQC.device.type, enabled=False):
            query_BQC = full_precision(query_BQC)
            flat = query_BQC.flatten(0, 1)
            index = hits.index.flatten()
            batch, num_cams, visible = hits.index.shape
            seen = self.deformable_attention(
                flat.index_select(0, index).view(batch * num_cams, visible, -1),
                full_precision(value_BNSC).flatten(0, 1),
                hits.points.flatten(0, 1),
                levels,
            )
            weighted = seen * hits.weight.to(seen).flatten(0, 1)[..., None]
            slots = torch.zeros_like(flat).index_add(0, index, weighted.flatten(0, 1))
            return query_BQC + self.dropout(self.output_proj(slots.view_as(query_BQC)))
