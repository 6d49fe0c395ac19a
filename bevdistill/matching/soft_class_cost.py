"""Cost of pairing a student query with a teacher box by their class scores."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmdet3d.registry import TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor


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
            **kwargs: Ignored, so that all costs are called alike.

        Returns:
            (n, m).
        """
        logits, soft_labels = pred_instances.scores, gt_instances.soft_labels
        return self.weight * (F.softplus(logits).sum(dim=1, keepdim=True) - logits @ soft_labels.T)
