"""Costs of pairing a query with a ground-truth box, beside those that mmdet has."""

from __future__ import annotations

from typing import Any

import torch
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
            **kwargs: Ignored, so that mmdet's costs and this one are called alike.

        Returns:
            (n, m).
        """
        predicted, target = pred_instances.codes[:, : self.dims], gt_instances.codes[:, : self.dims]
        return torch.cdist(predicted, target, p=1) * self.weight
