"""Deformable encoder over BEV levels and the query decoder behind it.

Legend: B samples, C channels, S tokens of all levels, L levels, Q queries, R reference coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn.bricks.transformer import BaseTransformerLayer
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from ...detection import DecoderOutputs, QueryDecoder
from ...layers import DeformableAttention, FeatureLevels, reset_attentions
from ...structures import BEVGrid, full_precision


class DeformableEncoder(BaseModule):
    """Deformable self-attention among the tokens of all levels (Deformable DETR, arXiv 2010.04159, section 4.1).

    Args:
        num_layers: Layers.
        embed_dims: C.
        num_levels: L.
        num_heads: Heads.
        num_points: Sampling points per head and level.
        feedforward_channels: Hidden channels of the feed-forward network.
        dropout: Probability in attention and feed-forward network.
    """

    def __init__(
        self,
        num_layers: int,
        embed_dims: int,
        num_levels: int,
        num_heads: int = 8,
        num_points: int = 4,
        feedforward_channels: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.num_levels = num_levels
        self.layers = ModuleList(
            BaseTransformerLayer(
                attn_cfgs=dict(
                    # The class in place of its name: mmcv looks names up in the root registry.
                    type=DeformableAttention,
                    embed_dims=embed_dims,
                    num_heads=num_heads,
                    num_levels=num_levels,
                    num_points=num_points,
                    dropout=dropout,
                ),
                ffn_cfgs=dict(
                    type='FFN', embed_dims=embed_dims, feedforward_channels=feedforward_channels, ffn_drop=dropout
                ),
                operation_order=('self_attn', 'norm', 'ffn', 'norm'),
                batch_first=True,
            )
            for _ in range(num_layers)
        )

    def init_weights(self) -> None:
        """Draw every matrix Xavier-uniform, then set the deformable attentions' own start values.

        Note:
            The release resets only one of its two attention classes and leaves xavier weights in the other's
            offsets (it matters only for training from scratch).
        """
        reset_attentions(self)
        self._is_init = True

    def forward(self, tokens_BSC: Tensor, position_1SC: Tensor, levels: FeatureLevels, grid: BEVGrid) -> Tensor:
        """Encode.

        Args:
            tokens_BSC: Tokens, level after level.
            position_1SC: Their positional code.
            levels: Sizes of the levels.
            grid: Any grid of the range; says where cell centres lie.

        Returns:
            (B, S, C).
        """
        centres_S2 = torch.cat(
            [
                grid.with_size(*size).cell_centres(tokens_BSC.device, normalised=True).flatten(0, 1)
                for size in levels.sizes
            ]
        )
        references = centres_S2[None, :, None].expand(len(tokens_BSC), -1, self.num_levels, -1)
        for layer in self.layers:
            tokens_BSC = layer(
                tokens_BSC,
                query_pos=position_1SC,
                reference_points=references,
                levels=levels,
            )
        return tokens_BSC


@MODELS.register_module()
class ObjectDGCNNTransformer(BaseModule):
    """Encoder of BEV levels and decoder of object queries.

    Args:
        embed_dims: C.
        num_levels: L.
        reference_dims: R, 2 (x, y; as published) or 3 (x, y, z).
        encoder: Arguments of :class:`DeformableEncoder` beside channels and levels; None or ``num_layers=0`` for no
            encoder, then the decoder looks at the BEV levels themselves.
        decoder: Arguments of :class:`~bevdistill.detection.query_decoder.QueryDecoder` beside channels and levels.
        positional_encoding: Config of the encoder's positional code, sine by default.

    Raises:
        ValueError: If `reference_dims` is neither 2 nor 3.
    """

    def __init__(
        self,
        embed_dims: int,
        num_levels: int,
        reference_dims: int,
        decoder: dict[str, Any],
        encoder: dict[str, Any] | None = None,
        positional_encoding: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if reference_dims not in (2, 3):
            raise ValueError(f'reference_dims must be 2 (x, y) or 3 (x, y, z), got {reference_dims}')
        self.num_levels = num_levels
        self.encoder: DeformableEncoder | None = None
        if encoder is not None and encoder.get('num_layers', 1) > 0:
            self.encoder = DeformableEncoder(**encoder, embed_dims=embed_dims, num_levels=num_levels)
            self.level_embeds = nn.Parameter(torch.randn(num_levels, embed_dims))
            self.positional_encoding = MODELS.build(
                positional_encoding
                or dict(type='mmdet.SinePositionalEncoding', num_feats=embed_dims // 2, normalize=True, offset=-0.5)
            )
        self.decoder = QueryDecoder(**decoder, embed_dims=embed_dims, num_levels=num_levels)
        self.reference_points = nn.Linear(embed_dims, reference_dims)

    def init_weights(self) -> None:
        """Initialise encoder and decoder, references that spread over the range, and level codes from N(0, 1)."""
        super().init_weights()
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)
        if self.encoder is not None:
            nn.init.normal_(self.level_embeds)

    def forward(
        self, maps: Sequence[Tensor], query_embedding: Tensor, reg_branches: nn.ModuleList, grid: BEVGrid
    ) -> DecoderOutputs:
        """Encode the maps and decode the queries.

        Args:
            maps: BEV maps, (B, C, h, w), the finest first; further ones than L are not looked at.
            query_embedding: (Q, 2C), position in the first half, content in the second.
            reg_branches: Regression branch of each decoder layer.
            grid: Grid of the range.

        Returns:
            States, references and raw box codes of each decoder layer.

        Raises:
            ValueError: If there are fewer maps than `num_levels`.
        """
        if len(maps) < self.num_levels:
            raise ValueError(f'the head has num_levels={self.num_levels} but the neck gives {len(maps)} maps')
        maps = maps[: self.num_levels]
        levels = FeatureLevels.of([(m.shape[-2], m.shape[-1]) for m in maps], device=maps[0].device)
        tokens_BSC = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)
        if self.encoder is not None:
            tokens_BSC = self.encoder(tokens_BSC, self._positions(levels), levels, grid)
        position_QC, content_QC = query_embedding.chunk(2, dim=1)
        batch = len(tokens_BSC)
        with torch.autocast(tokens_BSC.device.type, enabled=False):
            references_QR = self.reference_points(full_precision(position_QC)).sigmoid()
        return self.decoder(
            content_QC.expand(batch, -1, -1),
            position_QC.expand(batch, -1, -1),
            references_QR.expand(batch, -1, -1),
            tokens_BSC,
            levels,
            reg_branches,
        )

    def _positions(self, levels: FeatureLevels) -> Tensor:
        """Compute the positional code of every token, (1, S, C)."""
        codes = []
        for (height, width), embed_C in zip(levels.sizes, self.level_embeds, strict=True):
            valid = torch.zeros(1, height, width, dtype=torch.bool, device=embed_C.device)
            codes.append(self.positional_encoding(valid).flatten(2).transpose(1, 2) + embed_C)
        return torch.cat(codes, dim=1)
