"""Losses of a DETR-style 3-D head, for all decoder layers at once.

Legend: L decoder layers, B samples, Q queries, K classes, N boxes of all samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.losses import FocalLoss
from mmdet3d.registry import MODELS, TASK_UTILS
from torch import Tensor, nn

from ..distributed.reductions import shared_normaliser
from ..structures import CODE_SIZE, BEVOutputs, Targets, encode_boxes
from ..structures.constants import constant_like
from .hungarian import UNMATCHED

CODE_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2)
"""Weight of each slot of the box code: velocity counts a fifth."""


@MODELS.register_module()
class SetLoss(nn.Module):
    """Classification and box losses of every decoder layer against ground truth matched one to one.

    With P the number of matched queries of a layer over the batch of all ranks, at least 1::

        loss_cls  = 2.0  / P * sum over queries and classes of focal(logit, label, gamma 2, alpha 0.25)
        loss_bbox = 0.25 / P * sum over matched queries and slots d of w_d |p_d - t_d|

    (BEVFormer, arXiv 2203.17270; DETR3D, arXiv 2110.06922). With weights of samples (:attr:`Targets.weights`) every
    term of these sums, those of P included, is multiplied by its sample's. Unmatched queries are background. A box with
    a non-finite code, for example an unknown velocity, is matched and classified but left out of the box loss.

    Args:
        matcher: Config of the matcher, default :class:`~bevdistill.detection.hungarian.HungarianMatcher`.
        loss_cls: Config of mmdet's focal loss.
        loss_bbox: Config of mmdet's L1 loss.

    Note:
        The originals replace a non-finite loss by a number. Here it stays, so that a run that diverges stops.
    """

    def __init__(
        self,
        matcher: dict[str, Any] | None = None,
        loss_cls: dict[str, Any] | None = None,
        loss_bbox: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.matcher = TASK_UTILS.build(matcher or dict(type='HungarianMatcher'))
        self.loss_cls = MODELS.build(
            loss_cls or dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=2.0)
        )
        self.loss_bbox = MODELS.build(loss_bbox or dict(type='mmdet.L1Loss', loss_weight=0.25))

    def forward(
        self, outputs: BEVOutputs, targets: Targets, code_weights: Tensor | Sequence[float] = CODE_WEIGHTS
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            outputs: Of the detector.
            targets: Ground truth on the same device.
            code_weights: Weight of each slot of the box code, (10,).

        Returns:
            ``loss_cls`` and ``loss_bbox`` of the last layer, ``d<i>.loss_cls`` and ``d<i>.loss_bbox`` of the others.
        """
        with torch.autocast(outputs.logits.device.type, enabled=False):
            logits_LBQK, codes_LBQ10 = outputs.logits.float(), outputs.codes.float()
            assigned_LBQ = self.matcher.match(logits_LBQK, codes_LBQ10, targets)
            label_LBQ, target_LBQ10 = gather_targets(assigned_LBQ, targets, outputs.num_classes)
            known_LBQ1 = target_LBQ10.isfinite().all(dim=-1, keepdim=True)
            target_LBQ10 = torch.where(known_LBQ1, target_LBQ10, codes_LBQ10.detach())
            if not isinstance(code_weights, Tensor):
                code_weights = constant_like(tuple(code_weights), codes_LBQ10)
            weight_10 = code_weights.to(codes_LBQ10)
            sample_weight_B11 = targets.sample_weights(codes_LBQ10)[:, None, None]
            weight_LBQ10 = known_LBQ1 * weight_10 * sample_weight_B11
            matched_BQ1 = (assigned_LBQ[-1] != UNMATCHED)[..., None]
            positives = shared_normaliser((matched_BQ1 * sample_weight_B11).sum(), floor=1)
            # All layers at once, and weights outside: mmdet's L1 loss waits for the device to see whether any is set.
            rows = logits_LBQK.shape[:-1]
            label_M = label_LBQ.flatten()
            if isinstance(self.loss_cls, FocalLoss):
                # Labels as numbers would take mmdet's loss to a compiled operator on CUDA.
                label_M = (label_M[:, None] == torch.arange(outputs.num_classes, device=label_M.device)).long()
            cls_LBQK = self.loss_cls(logits_LBQK.flatten(0, 2), label_M, reduction_override='none')
            bbox_LBQ10 = self.loss_bbox(codes_LBQ10, target_LBQ10, reduction_override='none') * weight_LBQ10
            cls_L = (cls_LBQK.view(*rows, -1) * sample_weight_B11).sum(dim=(1, 2, 3)) / positives
            bbox_L = bbox_LBQ10.sum(dim=(1, 2, 3)) / positives
        losses: dict[str, Tensor] = {}
        for layer, (cls, bbox) in enumerate(zip(cls_L, bbox_L, strict=True), start=1):
            prefix = '' if layer == len(cls_L) else f'd{layer - 1}.'
            losses |= {f'{prefix}loss_cls': cls, f'{prefix}loss_bbox': bbox}
        return losses


def gather_targets(assigned_LBQ: Tensor, targets: Targets, num_classes: int) -> tuple[Tensor, Tensor]:
    """Look up labels and codes of each query's target.

    Args:
        assigned_LBQ: Index of a query's box within its sample, or -1.
        targets: Ground truth of the B samples.
        num_classes: K, the label of background.

    Returns:
        Labels, (L, B, Q) int64, K for background; codes, (L, B, Q, 10), NaN for background.
    """
    counts = [len(boxes) for boxes in targets.boxes]
    background = sum(counts)
    start_B1 = torch.stack([assigned_LBQ.new_full((1,), sum(counts[:sample])) for sample in range(len(counts))])
    index_LBQ = torch.where(assigned_LBQ == UNMATCHED, background, assigned_LBQ + start_B1)
    boxes_N9 = torch.cat(list(targets.boxes)).float()
    codes_N10 = torch.cat((encode_boxes(boxes_N9), boxes_N9.new_full((1, CODE_SIZE), float('nan'))))
    labels_N = torch.cat((*targets.labels, assigned_LBQ.new_full((1,), num_classes)))
    return labels_N[index_LBQ], codes_N10[index_LBQ]
