"""Matching costs that mmdet does not have: box codes in L1, class logits against soft labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmdet3d.registry import TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor


@TASK_UTILS.register_module()
class BoxCodeL1Cost:
    """``weight * sum_d |p_d - t_d|`` over the first `dims` slots of the box code (DETR3D, arXiv 2110.06922).

    Args:
        weight: Factor.
        dims: Slots that count; 8 leaves the velocity out.
    """

    def __init__(self, weight: float = 1.0, dims: int = 8) -> None:
        self.weight = weight
        self.dims = dims

    def __call__(self, pred_instances: InstanceData, gt_instances: InstanceData, **kwargs: Any) -> Tensor:
        """Compute the cost.

        Args:
            pred_instances: With ``codes`` (n, 10).
            gt_instances: With ``codes`` (m, 10).
            **kwargs: Ignored; mmdet's costs take them.

        Returns:
            (n, m).
        """
        predicted, target = pred_instances.codes[:, : self.dims], gt_instances.codes[:, : self.dims]
        return torch.cdist(predicted, target, p=1) * self.weight


@TASK_UTILS.register_module()
class SoftClassCost:
    """Binary cross entropy of logits x against soft labels s, summed over classes.

    ::

        cost_nm = weight * sum_c [softplus(-x_nc) s_mc + softplus(x_nc) (1 - s_mc)]
                = weight * (sum_c softplus(x_nc) - sum_c x_nc s_mc)

    as BEVDistill's release matches teacher boxes (weight 1, sum and not mean over classes).

    Args:
        weight: Factor.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(self, pred_instances: InstanceData, gt_instances: InstanceData, **kwargs: Any) -> Tensor:
        """Compute the cost.

        Args:
            pred_instances: With ``scores`` (n, K), logits.
            gt_instances: With ``soft_labels`` (m, K), probabilities.
            **kwargs: Ignored; mmdet's costs take them.

        Returns:
            (n, m).
        """
        logits, soft_labels = pred_instances.scores, gt_instances.soft_labels
        return self.weight * (F.softplus(logits).sum(dim=1, keepdim=True) - logits @ soft_labels.T)
