"""Transformer decoder of object queries over BEV tokens, with references refined layer by layer.

Legend: L decoder layers, B samples, Q queries, C channels, S BEV tokens of all levels, R reference coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmcv.cnn.bricks.transformer import BaseTransformerLayer
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from torch import Tensor, nn

from ..layers.deformable_attention import DeformableAttention, reset_attentions
from ..layers.feature_levels import FeatureLevels
from ..structures.precision import full_precision
from .branches import refine_references


class DecoderOutputs(NamedTuple):
    """Results of all decoder layers.

    Args:
        states: Query states after the layer, (L, B, Q, C).
        references: Normalised references that the layer started from, (L, B, Q, R), without gradient after layer 0.
        raw: Output of the layer's regression branch on its states, (L, B, Q, 10).
    """

    states: Tensor
    references: Tensor
    raw: Tensor


@MODELS.register_module()
class QueryDecoder(BaseModule):
    """DETR decoder: self-attention among queries, deformable cross-attention into BEV maps, feed-forward, post-norm.

    After layer i its regression branch moves the references, ``r' = sigmoid(t + logit(r))``, which are detached
    before the next layer (BEVFormer, arXiv 2203.17270, section 3.5; Deformable DETR, arXiv 2010.04159). Built on
    mmcv's transformer layer, whose parameter names are those of the released checkpoints. References and regression
    are computed in float32 also under automatic mixed precision. Multi-head attention is torch's fused operator.

    Args:
        num_layers: L.
        embed_dims: C.
        num_heads: Heads of both attentions.
        feedforward_channels: Hidden channels of the feed-forward network.
        num_levels: BEV maps that the cross-attention looks at.
        num_points: Sampling points per head and level.
        dropout: Probability in attentions and feed-forward network.
        self_attention: Config of another self-attention, for example ``dict(type='DGCNNAttention')``; it is built with
            ``embed_dims``, ``num_heads`` and ``batch_first=True`` added. Default: multi-head attention.
    """

    def __init__(
        self,
        num_layers: int,
        embed_dims: int,
        num_heads: int = 8,
        feedforward_channels: int = 512,
        num_levels: int = 1,
        num_points: int = 4,
        dropout: float = 0.1,
        self_attention: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f'a query decoder needs at least one layer, got num_layers={num_layers}')
        if self_attention is None:
            self_attention = dict(type='MultiheadAttention', attn_drop=dropout, proj_drop=dropout)
        self_type = MODELS.get(self_attention['type'])
        if self_type is None:
            raise ValueError(f"self_attention: no registered module is called '{self_attention['type']}'")
        sizes = dict(embed_dims=embed_dims, num_heads=num_heads)
        # Classes in place of names: mmcv looks names up in the root registry, which does not know ours.
        layer = dict(
            attn_cfgs=[
                {**sizes, **self_attention, 'type': self_type},
                dict(
                    type=DeformableAttention, **sizes, num_levels=num_levels, num_points=num_points, dropout=dropout
                ),
            ],
            ffn_cfgs=dict(
                type='FFN', embed_dims=embed_dims, feedforward_channels=feedforward_channels, ffn_drop=dropout
            ),
            operation_order=('self_attn', 'norm', 'cross_attn', 'norm', 'ffn', 'norm'),
            batch_first=True,
        )
        self.embed_dims = embed_dims
        self.num_layers = num_layers
        self.num_levels = num_levels
        self.layers = ModuleList([BaseTransformerLayer(**_copied(layer)) for _ in range(num_layers)])
        for module in self.modules():
            if isinstance(module, nn.MultiheadAttention):
                module.register_forward_pre_hook(_without_weights, with_kwargs=True)

    def init_weights(self) -> None:
        """Draw every matrix Xavier-uniform, then set the deformable attentions' own start values."""
        reset_attentions(self)
        self._is_init = True

    def forward(
        self,
        query_BQC: Tensor,
        query_pos_BQC: Tensor,
        references_BQR: Tensor,
        tokens_BSC: Tensor,
        levels: FeatureLevels,
        reg_branches: Sequence[nn.Module] | nn.ModuleList,
    ) -> DecoderOutputs:
        """Decode.

        Args:
            query_BQC: Query content.
            query_pos_BQC: Query position, added where attention weights and offsets are predicted.
            references_BQR: First references, normalised (x, y) or (x, y, z).
            tokens_BSC: BEV tokens, levels concatenated.
            levels: Sizes of the levels.
            reg_branches: One regression branch per layer.

        Returns:
            States, references and raw regression of all layers.

        Raises:
            ValueError: If the number of levels or branches does not fit.
        """
        if len(levels.sizes) != self.num_levels:
            raise ValueError(f'the query decoder was built for {self.num_levels} BEV levels, got {levels.sizes}')
        if len(reg_branches) != self.num_layers:
            raise ValueError(f'{self.num_layers} decoder layers need as many branches, got {len(reg_branches)}')
        states, references, raw = [], [], []
        for layer, branch in zip(self.layers, reg_branches, strict=True):
            query_BQC = layer(
                query_BQC,
                key=None,
                value=tokens_BSC,
                query_pos=query_pos_BQC,
                reference_points=references_BQR[:, :, None, :2].expand(-1, -1, self.num_levels, -1),
                levels=levels,
            )
            with torch.autocast(query_BQC.device.type, enabled=False):
                raw.append(branch(full_precision(query_BQC)))
            states.append(query_BQC)
            references.append(references_BQR)
            references_BQR = refine_references(raw[-1].detach(), references_BQR.detach())
        return DecoderOutputs(torch.stack(states), torch.stack(references), torch.stack(raw))


def _copied(config: dict[str, Any]) -> dict[str, Any]:
    """Copy a layer's config, whose nested ones mmcv writes into."""
    return {**config, 'attn_cfgs': [dict(entry) for entry in config['attn_cfgs']], 'ffn_cfgs': dict(config['ffn_cfgs'])}


def _without_weights(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Ask for no averaged weights, which nothing reads and which keep torch from its fused operator."""
    return args, {**kwargs, 'need_weights': False}
