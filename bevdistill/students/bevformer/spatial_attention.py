"""Spatial cross-attention of BEV queries into camera features.

Legend: B samples, N cameras, Q BEV queries, R = B * Q, I = B * N images, C channels, S tokens of a camera, M heads,
L levels, P points per head and level, D pillar points, H pairs of a camera and a query that it sees.
"""

from __future__ import annotations

import math

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...layers import FeatureLevels, predict_sampling, reset_projection, reset_sampling, sample_views
from ...structures import full_precision
from .frame import CameraHits


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
        """Set Deformable DETR's start values."""
        reset_sampling(self.sampling_offsets, self.attention_weights, self.num_heads, self.num_levels, self.num_points)
        reset_projection(self.value_proj)

    def forward(self, query_RC: Tensor, value_ISC: Tensor, hits: CameraHits, levels: FeatureLevels) -> Tensor:
        """Attend.

        Args:
            query_RC: Queries of all samples.
            value_ISC: Tokens of all cameras of all samples.
            hits: Which query looks at which camera, where, and with which weight.
            levels: Sizes of the camera's feature maps.

        Returns:
            Weighted sum over the cameras of each query, (R, C).

        Raises:
            ValueError: If the pillar points do not divide P, or the levels are not as built.
        """
        num_pillar = hits.points.shape[1]
        if self.num_points % num_pillar:
            raise ValueError(f'num_points={self.num_points} is not a multiple of the {num_pillar} pillar points')
        if len(levels.sizes) != self.num_levels:
            raise ValueError(f'the camera attention was built for {self.num_levels} feature levels, got {levels.sizes}')
        shape = (self.num_heads, self.num_levels, self.num_points)
        # Offsets and weights of a query do not depend on the camera.
        predicted_RA = predict_sampling(query_RC, self.sampling_offsets, self.attention_weights)
        offsets, logits = predicted_RA.split((2 * math.prod(shape), math.prod(shape)), dim=-1)
        offsets, logits = offsets.unflatten(-1, (*shape, 2)), logits.unflatten(-1, shape)
        value = self.value_proj(value_ISC).unflatten(-1, (self.num_heads, -1))
        return sample_views(value, levels, offsets, logits, hits.points, hits.image, hits.row, hits.weight)


class SpatialCrossAttention(BaseModule):
    """Average over the cameras that see a query's pillar of deformable attention into each.

    ``out = query + dropout(W * mean over seeing cameras of deformable_attention(query, camera))`` (BEVFormer, arXiv
    2203.17270, equation 4). The residual is inside. Matrix products follow autocast, the rest is in float32 at least.

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
        """Set the start values of this module and the attention inside."""
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
        slots = self.deformable_attention(query_BQC.flatten(0, 1), value_BNSC.flatten(0, 1), hits, levels)
        return full_precision(query_BQC) + self.dropout(self.output_proj(slots.view_as(query_BQC)))
