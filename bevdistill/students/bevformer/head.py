"""BEVFormer's head: BEV queries and object queries over camera features.

Legend: B samples, N cameras, Q BEV queries, C channels, H x W grid, K classes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ...detection import CODE_WEIGHTS, QueryHead, make_cls_branch, make_reg_branch
from ...structures import BEVOutputs
from .frame import FrameGeometry
from .transformer import BEVFormerTransformer


@MODELS.register_module()
class BEVFormerHead(QueryHead):
    """Detect from camera features through a BEV map (BEVFormer, arXiv 2203.17270).

    Args:
        grid: Range and size of the BEV map, ``dict(point_cloud_range, rows, cols)``.
        encoder: See :class:`~.encoder.BEVFormerEncoder`.
        decoder: See :class:`~bevdistill.detection.QueryDecoder`.
        coder: Config of the coder.
        num_classes: K.
        num_queries: Object queries.
        embed_dims: C, an even number.
        num_cams: Cameras.
        num_level_embeds: See :class:`~.transformer.BEVFormerTransformer`.
        rotate_center: See :func:`~.ego_motion.rotate_history`.
        released_extents: See :func:`~.ego_motion.ego_shift`.
        num_output_convs: 3x3 convolutions, ReLU between them, between the encoder and everything that reads the BEV
            map; 0 as published. History is the encoder's output, before them.
        aux_heatmap: Arguments of the auxiliary heatmap, see :class:`~bevdistill.detection.AuxHeatmapMixin`;
            None for no heatmap.
        loss: Config of the set loss.
        loss_heatmap: Config of the heatmap's loss.
        code_weights: Weight of each slot of the box code in the set loss. Part of the checkpoint, as released.

    Raises:
        ValueError: If a number does not fit.
    """

    def __init__(
        self,
        grid: dict[str, Any],
        encoder: dict[str, Any],
        decoder: dict[str, Any],
        coder: dict[str, Any],
        num_classes: int = 10,
        num_queries: int = 900,
        embed_dims: int = 256,
        num_cams: int = 6,
        num_level_embeds: int = 4,
        rotate_center: Sequence[float] | None = None,
        released_extents: bool = False,
        num_output_convs: int = 0,
        aux_heatmap: dict[str, Any] | None = None,
        loss: dict[str, Any] | None = None,
        loss_heatmap: dict[str, Any] | None = None,
        code_weights: Sequence[float] = CODE_WEIGHTS,
    ) -> None:
        super().__init__(grid, coder, num_classes, loss, loss_heatmap, code_weights)
        if embed_dims % 2:
            raise ValueError(f'embed_dims must be even, half for rows and half for columns; got {embed_dims}')
        # Without its own init_cfg the encoding stays N(0, 1), which the released models started from.
        self.positional_encoding = MODELS.build(
            dict(
                type='mmdet.LearnedPositionalEncoding',
                num_feats=embed_dims // 2,
                row_num_embed=self.grid.rows,
                col_num_embed=self.grid.cols,
                init_cfg=None,
            )
        )
        self.transformer = BEVFormerTransformer(
            self.grid, embed_dims, encoder, decoder, num_cams, num_level_embeds, rotate_center,
            released_extents,
        )  # fmt: skip
        self.bev_embedding = nn.Embedding(self.grid.num_cells, embed_dims)
        self.query_embedding = nn.Embedding(num_queries, 2 * embed_dims)
        layers = self.transformer.decoder.num_layers
        # Copies of one branch: all decoder layers start from the same branch, as published.
        self.add_branches(
            _copies(make_cls_branch(embed_dims, num_classes), layers), _copies(make_reg_branch(embed_dims), layers)
        )
        self.output_convs = _convs(embed_dims, num_output_convs)
        self.build_aux_heatmap(embed_dims, num_classes, aux_heatmap)

    def encode(
        self,
        features: Sequence[Tensor],
        frames: FrameGeometry,
        prev_bev_BQC: Tensor | None = None,
        history_exists_B: Tensor | None = None,
    ) -> Tensor:
        """Encode camera features into BEV queries, which are the history of the next frame.

        Args:
            features: Levels of the neck, (B, N, C, h, w) each.
            frames: Calibration and vehicle state.
            prev_bev_BQC: What this method returned for the previous frame, or None.
            history_exists_B: Which samples continue the previous frame, (B,) bool; None: all.

        Returns:
            (B, Q, C).
        """
        mask_1HW = self.bev_embedding.weight.new_zeros(1, self.grid.rows, self.grid.cols)
        query_pos_1QC = self.positional_encoding(mask_1HW).flatten(2).transpose(1, 2)
        return self.transformer.get_bev_features(
            features, self.bev_embedding.weight, query_pos_1QC, frames, prev_bev_BQC, history_exists_B
        )

    def forward(self, bev_BQC: Tensor, with_heatmap: bool = True) -> BEVOutputs:
        """Detect in an encoded frame.

        Args:
            bev_BQC: Of :meth:`encode`.
            with_heatmap: Run the auxiliary heatmap too, if there is one.

        Returns:
            Outputs; their BEV map is the one after the output convolutions.
        """
        bev_BCHW = bev_BQC.transpose(1, 2).unflatten(-1, (self.grid.rows, self.grid.cols))
        if len(self.output_convs):
            bev_BCHW = self.output_convs(bev_BCHW)
        heatmap = self.run_aux_heatmap(bev_BCHW) if with_heatmap else (None, None)
        # From the map that is offered, so that gradients with respect to it hold those of the decoder.
        bev_BQC = bev_BCHW.flatten(2).transpose(1, 2)
        decoded = self.transformer.decode(bev_BQC, self.query_embedding.weight, self.reg_branches)
        return self.outputs(bev_BCHW, decoded, heatmap)


def _copies(branch: nn.Sequential, number: int) -> list[nn.Sequential]:
    """Return independent copies of a branch."""
    return [copy.deepcopy(branch) for _ in range(number)]


def _convs(channels: int, number: int) -> nn.Sequential:
    """Build 3x3 convolutions with ReLU between them."""
    layers: list[nn.Module] = []
    for index in range(number):
        layers += [nn.ReLU(inplace=True)] if index else []
        layers.append(nn.Conv2d(channels, channels, 3, padding=1))
    return nn.Sequential(*layers)
