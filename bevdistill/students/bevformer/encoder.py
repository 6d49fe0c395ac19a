"""BEVFormer's encoder: BEV queries attend history and cameras, layer by layer.

Legend: B samples, N cameras, Q BEV queries, C channels, S tokens of a camera.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.cnn.bricks.transformer import FFN
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...layers import FeatureLevels
from ...structures import BEVGrid
from .frame import CameraHits, FrameGeometry, with_camera_hits
from .spatial_attention import SpatialCrossAttention
from .temporal_attention import History, TemporalSelfAttention


class BEVFormerLayer(BaseModule):
    """Temporal self-attention, spatial cross-attention, feed-forward; a layer norm after each.

    Args:
        embed_dims: C.
        num_heads: Heads of both attentions.
        num_levels: Levels of the camera features.
        num_sampling_points: Points per head and level in a camera.
        num_temporal_points: Points per head on each BEV map.
        feedforward_channels: Hidden channels of the feed-forward network.
        dropout: Probability in attentions and feed-forward network.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        num_levels: int,
        num_sampling_points: int,
        num_temporal_points: int,
        feedforward_channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        temporal = TemporalSelfAttention(embed_dims, num_heads, num_temporal_points, dropout)
        spatial = SpatialCrossAttention(embed_dims, num_heads, num_levels, num_sampling_points, dropout)
        self.attentions = ModuleList([temporal, spatial])
        self.ffns = ModuleList([FFN(embed_dims, feedforward_channels, ffn_drop=dropout)])
        self.norms = ModuleList([nn.LayerNorm(embed_dims) for _ in range(3)])

    def forward(
        self,
        query_BQC: Tensor,
        query_pos_BQC: Tensor,
        value_BNSC: Tensor,
        levels: FeatureLevels,
        hits: CameraHits,
        references_BQ22: Tensor,
        bev_levels: FeatureLevels,
        history: History | None,
    ) -> Tensor:
        """Run the layer; see :meth:`BEVFormerEncoder.forward` for the arguments."""
        temporal, spatial = self.attentions
        query_BQC = self.norms[0](temporal(query_BQC, query_pos_BQC, references_BQ22, bev_levels, history))
        query_BQC = self.norms[1](spatial(query_BQC, value_BNSC, hits, levels))
        # By rows: on a view of them, which (B, Q, C) makes, the ReLU in place copies its gradient.
        return self.norms[2](self.ffns[0](query_BQC.flatten(0, 1)).view_as(query_BQC))


class BEVFormerEncoder(BaseModule):
    """Encode BEV queries into BEV features (BEVFormer, arXiv 2203.17270, section 3).

    Args:
        grid: The BEV grid.
        embed_dims: C.
        num_layers: Layers.
        num_heads: Heads of the attentions.
        num_levels: Levels of the camera features.
        num_pillar_points: Points on each cell's pillar that are projected into the cameras.
        num_sampling_points: Sampling points per head and level in a camera, a multiple of the pillar points.
        num_temporal_points: Sampling points per head on each BEV map.
        feedforward_channels: Hidden channels of the feed-forward network.
        dropout: Probability in attentions and feed-forward network.
        with_cp: Recompute the layers' activations in the backward pass: less memory for one more forward pass of the
            encoder.
        released_shift_both: Shift the reference points of the present by the ego motion too, as the released weights
            of BEVFormer and BEVDistill were trained, also for samples without history.

    Raises:
        ValueError: If the pillar points do not divide the sampling points.
    """

    def __init__(
        self,
        grid: BEVGrid,
        embed_dims: int,
        num_layers: int,
        num_heads: int = 8,
        num_levels: int = 4,
        num_pillar_points: int = 4,
        num_sampling_points: int = 8,
        num_temporal_points: int = 4,
        feedforward_channels: int = 512,
        dropout: float = 0.1,
        with_cp: bool = False,
        released_shift_both: bool = False,
    ) -> None:
        super().__init__()
        if num_sampling_points % num_pillar_points:
            raise ValueError(
                f'num_sampling_points={num_sampling_points} must be a multiple of num_pillar_points={num_pillar_points}'
            )
        self.grid = grid
        self.num_levels = num_levels
        self.num_pillar_points = num_pillar_points
        self.with_cp = with_cp
        self.released_shift_both = released_shift_both
        self.layers = ModuleList(
            BEVFormerLayer(
                embed_dims,
                num_heads,
                num_levels,
                num_sampling_points,
                num_temporal_points,
                feedforward_channels,
                dropout,
            )
            for _ in range(num_layers)
        )

    def references(self, shift_B2: Tensor, history: History | None) -> Tensor:
        """Compute reference points on history and present.

        Args:
            shift_B2: Ego motion in units of the range.
            history: Which samples have history, None if none has.

        Returns:
            (B, Q, 2 entries, 2), or (1, Q, 2, 2) where all samples agree.
        """
        centres_Q2 = self.grid.cell_centres(shift_B2.device, shift_B2.dtype, normalised=True).flatten(0, 1)
        present_1Q12 = centres_Q2[None, :, None]
        shift_B112 = shift_B2[:, None, None]
        if self.released_shift_both:
            return (present_1Q12 + shift_B112).expand(-1, -1, 2, -1)
        if history is None:
            return present_1Q12.expand(-1, -1, 2, -1)
        if history.exists is not None:
            shift_B112 = torch.where(history.exists[:, None, None, None], shift_B112, 0.0)
        past_BQ12 = present_1Q12 + shift_B112
        return torch.cat((past_BQ12, present_1Q12.expand_as(past_BQ12)), dim=2)

    def with_camera_hits(self, frames: Sequence[FrameGeometry]) -> list[FrameGeometry]:
        """Find the BEV queries that the cameras see, see :func:`~.frame.with_camera_hits`."""
        return with_camera_hits(frames, self.grid, self.num_pillar_points)

    def forward(
        self,
        query_BQC: Tensor,
        query_pos_BQC: Tensor,
        value_BNSC: Tensor,
        levels: FeatureLevels,
        frames: FrameGeometry,
        shift_B2: Tensor,
        prev_bev_BQC: Tensor | None = None,
        history_exists_B: Tensor | None = None,
    ) -> Tensor:
        """Encode.

        Args:
            query_BQC: BEV queries.
            query_pos_BQC: Their position, (B or 1, Q, C).
            value_BNSC: Camera tokens, levels concatenated.
            levels: Sizes of the levels.
            frames: Calibration.
            shift_B2: Ego motion in units of the range.
            prev_bev_BQC: Previous BEV maps in the present heading, or None if no sample has one.
            history_exists_B: Which samples have one, (B,) bool; None: all, where `prev_bev_BQC` is given.

        Returns:
            (B, Q, C).
        """
        hits = self.with_camera_hits([frames])[0].hits
        history = None
        if prev_bev_BQC is not None:
            history = History(prev_bev_BQC, history_exists_B, query_BQC)
        bev_levels = FeatureLevels.of([(self.grid.rows, self.grid.cols)], query_BQC.device)
        references_BQ22 = self.references(shift_B2, history)
        context = (query_pos_BQC, value_BNSC, levels, hits, references_BQ22, bev_levels, history)
        recompute = self.with_cp and self.training and torch.is_grad_enabled()
        for layer in self.layers:
            if recompute:
                query_BQC = checkpoint(layer, query_BQC, *context, use_reentrant=False)
            else:
                query_BQC = layer(query_BQC, *context)
        return query_BQC
