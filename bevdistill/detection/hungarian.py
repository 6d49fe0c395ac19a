"""One-to-one assignment of targets to queries, for all decoder layers and samples of a batch.

Legend: L decoder layers, B samples, Q queries, K classes, n targets of a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmdet3d.registry import TASK_UTILS
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..structures import CODE_SIZE, Targets, encode_boxes

UNMATCHED = -1
"""Target of a query that has none."""

WORST_COST = 1e6
"""Replaces costs that are not finite: a broken prediction is matched last, and the loss reports it."""


def solve_assignments(costs: Sequence[Tensor]) -> Tensor:
    """Solve every layer's and sample's assignment problem with one transfer to the host.

    Args:
        costs: One (L, Q, n) per sample; n may be 0 and may exceed Q.

    Returns:
        (L, B, Q) int64 on the device of the costs: index of the target that a query got, or -1.

    Raises:
        ValueError: If the samples disagree about layers or queries.
    """
    return solve_together([costs])[0]


@torch.no_grad()
def solve_together(groups: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Solve several batches of assignment problems, which may differ in layers and queries, with one transfer.

    Args:
        groups: What :func:`solve_assignments` takes, several times.

    Returns:
        Of each what :func:`solve_assignments` returns.

    Raises:
        ValueError: If a group is empty, or its samples disagree about layers or queries.
    """
    for costs in groups:
        if not costs:
            raise ValueError('expected the costs of at least one sample')
        if any(cost.shape[:2] != costs[0].shape[:2] for cost in costs):
            raise ValueError(f'costs must agree in layers and queries, got {[tuple(cost.shape) for cost in costs]}')
    flat = torch.cat([cost.float().reshape(-1) for costs in groups for cost in costs])
    host = torch.nan_to_num(flat, nan=WORST_COST, posinf=WORST_COST, neginf=-WORST_COST).cpu().numpy()
    solved, start = [], 0
    for costs in groups:
        layers, queries = costs[0].shape[:2]
        assigned = np.full((layers, len(costs), queries), UNMATCHED, dtype=np.int64)
        for sample, cost in enumerate(costs):
            matrix = host[start : start + cost.numel()].reshape(cost.shape)
            start += cost.numel()
            for layer in range(layers):
                query, target = linear_sum_assignment(matrix[layer])
                assigned[layer, sample, query] = target
        solved.append(torch.from_numpy(assigned).to(flat.device, non_blocking=True))
    return solved


@TASK_UTILS.register_module()
class HungarianMatcher:
    """Assign ground truth to queries by the cheapest sum of a class and a box cost (DETR, arXiv 2005.12872, 3.1).

    Args:
        cls_cost: Config of a cost on ``scores`` (logits) and ``labels``; BEVFormer: mmdet's FocalLossCost, weight 2.
        reg_cost: Config of a cost on ``codes``; BEVFormer: :class:`BoxCodeL1Cost` with weight 0.25.
    """

    def __init__(self, cls_cost: dict[str, Any] | None = None, reg_cost: dict[str, Any] | None = None) -> None:
        self.cls_cost = TASK_UTILS.build(cls_cost or dict(type='mmdet.FocalLossCost', weight=2.0))
        self.reg_cost = TASK_UTILS.build(reg_cost or dict(type='BoxCodeL1Cost', weight=0.25))

    def match(self, logits: Tensor, codes: Tensor, targets: Targets) -> Tensor:
        """Match all layers and samples; the arguments are those of :meth:`costs`.

        Returns:
            (L, B, Q) int64: index of a query's ground truth within its sample, or -1.

        Raises:
            ValueError: If the number of samples differs.
        """
        return solve_assignments(self.costs(logits, codes, targets))

    @torch.no_grad()
    def costs(self, logits: Tensor, codes: Tensor, targets: Targets) -> list[Tensor]:
        """Compute what each query costs for each object.

        Args:
            logits: Class logits, (L, B, Q, K).
            codes: Box codes, (L, B, Q, 10).
            targets: Ground truth of the B samples.

        Returns:
            (L, Q, n) of each sample, for :func:`solve_assignments`.

        Raises:
            ValueError: If the number of samples differs.
        """
        layers, batch, queries, _ = logits.shape
        if len(targets) != batch:
            raise ValueError(f'{batch} samples were predicted but targets hold {len(targets)}')
        costs = []
        for sample in range(batch):
            predicted = InstanceData(
                scores=logits[:, sample].float().flatten(0, 1),
                codes=codes[:, sample].float().reshape(layers * queries, CODE_SIZE),
            )
            truth = InstanceData(labels=targets.labels[sample], codes=encode_boxes(targets.boxes[sample]))
            cost = self.cls_cost(predicted, truth) + self.reg_cost(predicted, truth)
            costs.append(cost.view(layers, queries, len(truth)))
        return costs
