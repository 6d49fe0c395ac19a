"""Common part of the heads of query-based BEV detectors.

Legend: B samples, Q object queries, C channels, H x W grid, L decoder layers, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmdet3d.registry import MODELS, TASK_UTILS
from mmdet3d.structures import Det3DDataSample
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..structures import CODE_SIZE, BEVGrid, BEVOutputs, Targets
from .branches import reset_cls_bias, to_codes
from .heatmap import AuxHeatmapMixin
from .query_decoder import DecoderOutputs
from .set_loss import CODE_WEIGHTS


class QueryHead(AuxHeatmapMixin, BaseModule):
    """Branches, losses and decoding behind a decoder of object queries.

    A subclass builds its transformer and its query embedding, adds the branches with :meth:`add_branches` and the
    heatmap with :meth:`build_aux_heatmap`, and writes ``forward``, which ends in :meth:`outputs`. The base registers
    no parameter of its own, so that names and order of a head's weights are those of its subclass.

    Args:
        grid: Range and size of the BEV map, ``dict(point_cloud_range, rows, cols)``.
        coder: Config of the coder, for example :class:`~.coder.NMSFreeCoder`.
        num_classes: K.
        loss: Config of the set loss, default :class:`~.set_loss.SetLoss`.
        loss_heatmap: Config of the heatmap's loss, default :class:`~.heatmap.HeatmapLoss`.
        code_weights: Weight of each slot of the box code in the set loss.
        save_code_weights: Make them part of the checkpoint.

    Raises:
        ValueError: If there are not ten code weights.
    """

    code_weights: Tensor

    def __init__(
        self,
        grid: dict[str, Any],
        coder: dict[str, Any],
        num_classes: int,
        loss: dict[str, Any] | None = None,
        loss_heatmap: dict[str, Any] | None = None,
        code_weights: Sequence[float] = CODE_WEIGHTS,
        save_code_weights: bool = True,
    ) -> None:
        super().__init__()
        if len(code_weights) != CODE_SIZE:
            raise ValueError(f'code_weights must be {CODE_SIZE} numbers, got {list(code_weights)}')
        self.grid = BEVGrid.from_config(**grid)
        self.num_classes = num_classes
        weights = torch.tensor(code_weights, dtype=torch.float32)
        self.register_buffer('code_weights', weights, persistent=save_code_weights)
        self.loss_set = MODELS.build(loss or dict(type='SetLoss'))
        self.loss_heatmap = MODELS.build(loss_heatmap or dict(type='HeatmapLoss'))
        self.coder = TASK_UTILS.build(coder)

    def add_branches(self, cls_branches: Iterable[nn.Module], reg_branches: Iterable[nn.Module]) -> None:
        """Register one classification and one regression branch per decoder layer."""
        self.cls_branches = nn.ModuleList(cls_branches)
        self.reg_branches = nn.ModuleList(reg_branches)

    def init_weights(self) -> None:
        """Initialise all parts, then let every class start with probability 0.01."""
        super().init_weights()
        reset_cls_bias(self.cls_branches)

    def outputs(
        self, bev_BCHW: Tensor, decoded: DecoderOutputs, heatmap: tuple[Tensor | None, Tensor | None]
    ) -> BEVOutputs:
        """Apply the branches to decoded queries.

        Args:
            bev_BCHW: BEV map to offer.
            decoded: States, references and raw regression of all layers.
            heatmap: Of :meth:`run_aux_heatmap`.
        """
        logits = [branch(state) for branch, state in zip(self.cls_branches, decoded.states, strict=True)]
        return BEVOutputs(
            grid=self.grid,
            bev=bev_BCHW,
            states=decoded.states,
            logits=torch.stack(logits),
            codes=to_codes(decoded.raw, decoded.references, self.grid),
            references=decoded.references,
            heatmap=heatmap[0],
            heatmap_features=heatmap[1],
        )

    def loss(self, outputs: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the set losses of all decoder layers, and ``loss_heatmap`` if the outputs hold a heatmap."""
        losses: dict[str, Tensor] = self.loss_set(outputs, targets, self.code_weights)
        if outputs.heatmap is not None:
            losses['loss_heatmap'] = self.loss_heatmap(outputs.heatmap, targets, outputs.grid)
        return losses

    def predict(self, outputs: BEVOutputs, samples: Sequence[Det3DDataSample]) -> list[InstanceData]:
        """Decode the last layer into one set of instances per sample."""
        instances: list[InstanceData] = self.coder.to_instances(outputs.logits[-1], outputs.codes[-1], samples)
        return instances
