"""Detection head of Object-DGCNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ...detection import CODE_WEIGHTS, QueryHead, make_cls_branch, make_reg_branch
from ...structures import BEVOutputs
from .transformer import ObjectDGCNNTransformer


@MODELS.register_module()
class ObjectDGCNNHead(QueryHead):
    """Object queries over BEV levels, with an optional class heatmap on the finest level.

    Args:
        grid: Range and size of the finest level, ``dict(point_cloud_range, rows, cols)``.
        num_classes: K.
        num_queries: Q.
        embed_dims: C of all levels.
        num_levels: BEV levels that the queries look at, the finest ones of the neck.
        reference_dims: 2 as published (z is regressed in metres), or 3 as BEVFormer's decoder has it.
        encoder: See :class:`~.transformer.ObjectDGCNNTransformer`.
        decoder: See :class:`~.transformer.ObjectDGCNNTransformer`; ``self_attention=dict(type='DGCNNAttention')`` for
            the published graph attention, without it multi-head attention.
        positional_encoding: See :class:`~.transformer.ObjectDGCNNTransformer`.
        aux_heatmap: Arguments of the auxiliary heatmap, see :class:`~bevdistill.detection.AuxHeatmapMixin`;
            its input is detached here by default, as in BEVDistill's teacher. None for no heatmap.
        loss: Config of the set loss, default :class:`~bevdistill.detection.set_loss.SetLoss`.
        loss_heatmap: Config of the heatmap's loss, default :class:`~bevdistill.detection.heatmap.HeatmapLoss`.
        coder: Config of the coder, for example :class:`~bevdistill.detection.coder.NMSFreeCoder`.
        code_weights: Weight of each slot of the box code in the set loss. Not part of the checkpoint, as released.
    """

    def __init__(
        self,
        grid: dict[str, Any],
        decoder: dict[str, Any],
        coder: dict[str, Any],
        num_classes: int = 10,
        num_queries: int = 300,
        embed_dims: int = 256,
        num_levels: int = 4,
        reference_dims: int = 2,
        encoder: dict[str, Any] | None = None,
        positional_encoding: dict[str, Any] | None = None,
        aux_heatmap: dict[str, Any] | None = None,
        loss: dict[str, Any] | None = None,
        loss_heatmap: dict[str, Any] | None = None,
        code_weights: Sequence[float] = CODE_WEIGHTS,
    ) -> None:
        super().__init__(grid, coder, num_classes, loss, loss_heatmap, code_weights, save_code_weights=False)
        self.transformer = ObjectDGCNNTransformer(
            embed_dims, num_levels, reference_dims, decoder, encoder, positional_encoding
        )
        layers = self.transformer.decoder.num_layers
        self.add_branches(
            [make_cls_branch(embed_dims, num_classes) for _ in range(layers)],
            [make_reg_branch(embed_dims) for _ in range(layers)],
        )
        self.query_embedding = nn.Embedding(num_queries, 2 * embed_dims)
        if aux_heatmap is not None:
            aux_heatmap = {'detach_input': True, **aux_heatmap}
        self.build_aux_heatmap(embed_dims, num_classes, aux_heatmap)

    def forward(self, maps: Sequence[Tensor]) -> BEVOutputs:
        """Detect.

        Args:
            maps: BEV levels of the neck, (B, C, h, w), the finest first; its size must be that of the grid.

        Returns:
            Outputs; their BEV map is the finest level as the neck gave it, before the encoder.
        """
        bev_BCHW = maps[0]
        heatmap = self.run_aux_heatmap(bev_BCHW)
        decoded = self.transformer(maps, self.query_embedding.weight, self.reg_branches, self.grid)
        return self.outputs(bev_BCHW, decoded, heatmap)
