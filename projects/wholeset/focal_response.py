"""Every student query answers for its teacher query, or for background if it has none."""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.distributed.reductions import mean_over_samples, shared_normaliser
from bevdistill.losses.instance_pairs import InstancePairs
from bevdistill.losses.instance_terms import InstanceTerm

from .quality_focal import QualityFocal


@MODELS.register_module()
class FocalResponseTerm(InstanceTerm):
    """Quality focal loss (arXiv 2006.04388, equation 2) of all student queries against the teacher's class scores.

    With p_q the class probabilities of the teacher box that query q is matched with, or 0 if there is none, and s_q the
    query's own::

        loss = sum_qk |p_qk - s_qk|^gamma * BCE(s_qk, p_qk) / sum_i max_k p_ik

    where i runs over the matched teacher boxes, so that a sure box counts 1 and a doubtful one less.

    Note:
        The reference has one quality in place of a one-hot label. Here it is the teacher's whole score vector: it also
        says which other class the object resembles.

    Args:
        gamma: How much less what is nearly right counts, >= 0.

    Raises:
        ValueError: If `gamma` is negative.
    """

    wants = ('student.logits', 'teacher.logits')

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.compare = QualityFocal(gamma)

    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare class scores; (L,).

        Legend: L layers, B samples, Q student queries, M teacher boxes, K classes.
        """
        logits_LBQK = pairs.student.logits[pairs.layers].float()
        total_LB = self.compare(logits_LBQK, wanted_scores(pairs, logits_LBQK)).sum(dim=(-1, -2))
        objects_LB = (pairs.matched * pairs.pairing.teacher_boxes.score).sum(dim=-1)
        if pairs.average == 'sample':
            return mean_over_samples(total_LB / objects_LB.clamp(min=1), dim=1)
        return total_LB.sum(dim=1) / shared_normaliser(objects_LB.sum(dim=1), floor=1)


def wanted_scores(pairs: InstancePairs, logits_LBQK: Tensor) -> Tensor:
    """Class probabilities that each student query should have, (L, B, Q, K): those of its teacher box, or 0."""
    layers, batch, queries, classes = logits_LBQK.shape
    # Teacher boxes without a student query write into an extra slot that is cut off.
    slot_LBM = torch.where(pairs.matched, pairs.pairing.student_index, queries)
    scores_LBMK = pairs.pairing.teacher_boxes.scores.to(logits_LBQK).expand(layers, -1, -1, -1)
    empty_LBQK = logits_LBQK.new_zeros(layers, batch, queries + 1, classes)
    return empty_LBQK.scatter(2, slot_LBM[..., None].expand_as(scores_LBMK), scores_LBMK)[:, :, :queries]
