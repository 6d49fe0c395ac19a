"""BEVFormer's transformer: embeddings and ego motion around the encoder, references around the decoder.

Legend: B samples, N cameras, Q BEV queries, q object queries, C channels, S tokens of a camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...detection import DecoderOutputs, QueryDecoder
from ...layers import FeatureLevels, xavier_matrices
from ...structures import BEVGrid, full_precision
from ...structures.ego_state import CAN_BUS_SIZE, YAW_DEGREES
from .ego_motion import ego_shift, rotate_history
from .encoder import BEVFormerEncoder
from .frame import FrameGeometry


class BEVFormerTransformer(BaseModule):
    """Encode camera features into BEV features and decode object queries from them.

    Args:
        grid: The BEV grid.
        embed_dims: C.
        encoder: Arguments of :class:`~.encoder.BEVFormerEncoder` beside grid and channels.
        decoder: Arguments of :class:`~bevdistill.detection.QueryDecoder` beside the channels.
        num_cams: N.
        num_level_embeds: Rows of the level embedding; the released models have four, whatever levels they use.
        rotate_center: See :func:`~.ego_motion.rotate_history`; None is right, ``[100, 100]`` as released.
        released_extents: See :func:`~.ego_motion.ego_shift`.

    Raises:
        ValueError: If there are fewer level embeddings than levels.
    """

    def __init__(
        self,
        grid: BEVGrid,
        embed_dims: int,
        encoder: dict[str, Any],
        decoder: dict[str, Any],
        num_cams: int = 6,
        num_level_embeds: int = 4,
        rotate_center: Sequence[float] | None = None,
        released_extents: bool = False,
    ) -> None:
        super().__init__()
        self.grid = grid
        self.rotate_center = rotate_center
        self.released_extents = released_extents
        self.encoder = BEVFormerEncoder(grid, embed_dims, **encoder)
        self.decoder = QueryDecoder(embed_dims=embed_dims, **decoder)
        if num_level_embeds < self.encoder.num_levels:
            raise ValueError(f'{self.encoder.num_levels} levels need as many embeddings, got {num_level_embeds}')
        self.level_embeds = nn.Parameter(torch.randn(num_level_embeds, embed_dims))
        self.cams_embeds = nn.Parameter(torch.randn(num_cams, embed_dims))
        self.reference_points = nn.Linear(embed_dims, 3)
        self.can_bus_mlp = nn.Sequential(
            nn.Linear(CAN_BUS_SIZE, embed_dims // 2),
            nn.ReLU(inplace=True),
            nn.Linear(embed_dims // 2, embed_dims),
            nn.ReLU(inplace=True),
        )
        self.can_bus_mlp.add_module('norm', nn.LayerNorm(embed_dims))

    def init_weights(self) -> None:
        """Draw matrices Xavier-uniform and embeddings from N(0, 1), then set the attentions' own start values."""
        xavier_matrices(self)
        nn.init.normal_(self.level_embeds)
        nn.init.normal_(self.cams_embeds)
        nn.init.zeros_(self.reference_points.bias)
        self.decoder.init_weights()
        for layer in self.encoder.layers:
            for attention in layer.attentions:
                attention.init_weights()
        self._is_init = True

    def get_bev_features(
        self,
        features: Sequence[Tensor],
        bev_queries_QC: Tensor,
        query_pos_BQC: Tensor,
        frames: FrameGeometry,
        prev_bev_BQC: Tensor | None = None,
        history_exists_B: Tensor | None = None,
    ) -> Tensor:
        """Encode one frame.

        Args:
            features: Levels of the neck, (B, N, C, h, w) each.
            bev_queries_QC: Learned BEV queries.
            query_pos_BQC: Their position, (B or 1, Q, C).
            frames: Calibration and vehicle state.
            prev_bev_BQC: Encoder outputs of the previous frame in its own heading, or None. Not changed.
            history_exists_B: Which samples continue the previous frame, (B,) bool; None: all.

        Returns:
            (B, Q, C).

        Raises:
            ValueError: If the numbers of levels, cameras, or calibrations do not fit.
        """
        self._check(features, frames)
        value_BNSC, levels = self._tokens(features)
        with torch.autocast(value_BNSC.device.type, enabled=False):
            shift_B2 = ego_shift(frames.can_bus, self.grid, self.released_extents)
            query_BQC = bev_queries_QC + self.can_bus_mlp(frames.can_bus.to(bev_queries_QC.dtype))[:, None]
            if prev_bev_BQC is not None:
                turn_B = frames.can_bus[:, YAW_DEGREES]
                prev_bev_BQC = rotate_history(prev_bev_BQC, turn_B, self.grid, self.rotate_center)
        return self.encoder(
            query_BQC, query_pos_BQC, value_BNSC, levels, frames, shift_B2, prev_bev_BQC, history_exists_B
        )

    def decode(self, bev_BQC: Tensor, query_embedding: Tensor, reg_branches: nn.ModuleList) -> DecoderOutputs:
        """Decode object queries.

        Args:
            bev_BQC: BEV features.
            query_embedding: (q, 2 C), position then content.
            reg_branches: One per decoder layer.

        Returns:
            States, references and raw regression of all layers.
        """
        position_qC, content_qC = query_embedding.chunk(2, dim=-1)
        with torch.autocast(bev_BQC.device.type, enabled=False):
            references_qR = self.reference_points(full_precision(position_qC)).sigmoid()
        position, content, references = (
            tensor[None].expand(len(bev_BQC), -1, -1) for tensor in (position_qC, content_qC, references_qR)
        )
        levels = FeatureLevels.of([(self.grid.rows, self.grid.cols)], bev_BQC.device)
        return self.decoder(content, position, references, bev_BQC, levels, reg_branches)

    def _tokens(self, features: Sequence[Tensor]) -> tuple[Tensor, FeatureLevels]:
        """Flatten camera features into tokens with camera and level embeddings, (B, N, S, C)."""
        tokens = [
            level.flatten(3).transpose(2, 3) + self.cams_embeds[:, None] + embed
            for level, embed in zip(features, self.level_embeds[: len(features)], strict=True)
        ]
        levels = FeatureLevels.of([(level.shape[3], level.shape[4]) for level in features], features[0].device)
        return torch.cat(tokens, dim=2), levels

    def _check(self, features: Sequence[Tensor], frames: FrameGeometry) -> None:
        """Check that inputs fit the model."""
        if len(features) != self.encoder.num_levels:
            raise ValueError(f'the encoder was built for {self.encoder.num_levels} levels, got {len(features)}')
        num_cams = len(self.cams_embeds)
        batch_cams = tuple(features[0].shape[:2])
        if batch_cams[1] != num_cams or tuple(frames.lidar2img.shape[:2]) != batch_cams:
            raise ValueError(
                f'the model was built for {num_cams} cameras; features are (B, N, C, h, w) = '
                f'{tuple(features[0].shape)} and calibrations (B, N, 4, 4) = {tuple(frames.lidar2img.shape)}'
            )
