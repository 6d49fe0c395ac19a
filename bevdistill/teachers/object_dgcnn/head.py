"""Detection head of Object-DGCNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet3d.registry import MODELS, TASK_UTILS
from mmdet3d.structures import Det3DDataSample
from mmengine.model import BaseModule, ModuleList
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ...detection import (
    CODE_WEIGHTS,
    AuxHeatmapMixin,
    HeatmapLoss,
    SetLoss,
    make_cls_branch,
    make_reg_branch,
    reset_cls_bias,
    to_codes,
)
from ...structures import CODE_SIZE, BEVGrid, BEVOutputs, Targets
from .transformer import ObjectDGCNNTransformer


@MODELS.register_module()
class ObjectDGCNNHead(AuxHeatmapMixin, BaseModule):
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
        loss_heatmap: Config of the heatmap's loss, default :class:`~bevdistill.detection.heatmap_loss.HeatmapLoss`.
        coder: Config of the coder, for example :class:`~bevdistill.detection.coder.NMSFreeCoder`.
        code_weights: Weight of each slot of the box code in the set loss. Not part of the checkpoint, as released.
    """

    code_weights: Tensor

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
        super().__init__()
        if len(code_weights) != CODE_SIZE:
            raise ValueError(f'code_weights must be {CODE_SIZE} numbers, got {list(code_weights)}')
        self.register_buffer('code_weights', torch.tensor(code_weights, dtype=torch.float32), persistent=False)
        self.grid = BEVGrid.from_config(**grid)
        self.num_classes = num_classes
        self.transformer = ObjectDGCNNTransformer(
            embed_dims, num_levels, reference_dims, decoder, encoder, positional_encoding
        )
        layers = self.transformer.decoder.num_layers
        self.cls_branches = ModuleList(make_cls_branch(embed_dims, num_classes) for _ in range(layers))
        self.reg_branches = ModuleList(make_reg_branch(embed_dims) for _ in range(layers))
        self.query_embedding = nn.Embedding(num_queries, 2 * embed_dims)
        if aux_heatmap is not None:
            aux_heatmap = {'detach_input': True, **aux_heatmap}
        self.build_aux_heatmap(embed_dims, num_classes, aux_heatmap)
        self.loss_set = MODELS.build(loss or dict(type=SetLoss))
        self.loss_heatmap = MODELS.build(loss_heatmap or dict(type=HeatmapLoss))
        self.coder = TASK_UTILS.build(coder)

    def init_weights(self) -> None:
        """Start values of the transformer and the heatmap; every class starts with probability 0.01."""
        super().init_weights()
        reset_cls_bias(self.cls_branches)

    def forward(self, maps: Sequence[Tensor]) -> BEVOutputs:
        """Detect.

        Args:
            maps: BEV levels of the neck, (B, C, h, w), the finest first; its size must be that of the grid.

        Returns:
            Outputs; their BEV map is the finest level as the neck gave it, before the encoder.
        """
        bev_BCHW = maps[0]
        heatmap_BKHW, features_BCHW = self.run_aux_heatmap(bev_BCHW)
        decoded = self.transformer(maps, self.query_embedding.weight, self.reg_branches, self.grid)
        return BEVOutputs(
            grid=self.grid,
            bev=bev_BCHW,
            states=decoded.states,
            logits=torch.stack(
                [branch(state) for branch, state in zip(self.cls_branches, decoded.states, strict=True)]
            ),
            codes=to_codes(decoded.raw, decoded.references, self.grid),
            references=decoded.references,
            heatmap=heatmap_BKHW,
            heatmap_features=features_BCHW,
        )

    def loss(self, outputs: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Losses of all decoder layers and, with a heatmap, ``loss_heatmap``."""
        losses: dict[str, Tensor] = self.loss_set(outputs, targets, self.code_weights)
        if outputs.heatmap is not None:
            losses['loss_heatmap'] = self.loss_heatmap(outputs.heatmap, targets, outputs.grid)
        return losses

    def predict(self, outputs: BEVOutputs, samples: Sequence[Det3DDataSample]) -> list[InstanceData]:
        """Decode the last layer, one set of instances per sample."""
        instances: list[InstanceData] = self.coder.to_instances(outputs.logits[-1], outputs.codes[-1], samples)
        return instances
