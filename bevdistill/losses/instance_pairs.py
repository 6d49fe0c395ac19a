"""Matched pairs of student and teacher queries: their values and means over them.

Legend: L student layers, B samples, Q student queries, M teacher boxes (padded), K classes, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..distributed.reductions import mean_over_samples, shared_normaliser
from ..structures import BEVOutputs
from .pairing import Pairing, gather_queries
from .quality import Weights

Average = Literal['batch', 'sample']


@dataclass(frozen=True)
class InstancePairs:
    """Pairs of some student layers with the teacher's last layer.

    Args:
        student: Outputs of the student.
        teacher: Outputs of the teacher.
        pairing: Who is paired with whom, for `layers`.
        weights: Quality weights of the teacher boxes.
        layers: The student's layers in question; the last of them is its last layer.
        average: ``'batch'``: sums over batch and ranks divided by the sum of all denominators, as DETR's losses do.
            ``'sample'``: mean of the losses of all ranks' samples.
    """

    student: BEVOutputs
    teacher: BEVOutputs
    pairing: Pairing
    weights: Weights
    layers: slice
    average: Average = 'batch'

    @property
    def matched(self) -> Tensor:
        """Mask of the teacher boxes that have a student query, (L, B, M)."""
        return self.pairing.matched

    def last(self) -> InstancePairs:
        """Return the pairs of the last layer alone."""
        pairing = Pairing(self.pairing.teacher_boxes, self.pairing.student_index[-1:], self.pairing.matched[-1:])
        return InstancePairs(self.student, self.teacher, pairing, self.weights, slice(-1, None), self.average)

    def student_logits(self) -> Tensor:
        """Gather the class logits of the paired student queries, (L, B, M, K)."""
        return gather_queries(self.student.logits[self.layers], self.pairing.student_index)

    def student_codes(self) -> Tensor:
        """Gather the box codes of the paired student queries, (L, B, M, 10)."""
        return gather_queries(self.student.codes[self.layers], self.pairing.student_index)

    def student_states(self) -> Tensor:
        """Gather the decoder states of the paired student queries, (L, B, M, C)."""
        return gather_queries(self.student.states[self.layers], self.pairing.student_index)

    def teacher_states(self) -> Tensor:
        """Gather the last decoder states of the paired teacher queries, (B, M, C'), without gradient."""
        return gather_queries(self.teacher.states[-1].detach(), self.pairing.teacher_boxes.teacher_index)

    def per_pair(self, totals_LB: Tensor) -> Tensor:
        """Divide totals of the samples (L, B) by the number of pairs, at least 1; (L,)."""
        count_LB = self.matched.sum(dim=-1).float()
        if self.average == 'sample':
            return mean_over_samples(totals_LB / count_LB.clamp(min=1), dim=1)
        return totals_LB.sum(dim=1) / shared_normaliser(count_LB.sum(dim=1), floor=1)

    def mean(self, values_LBM: Tensor, weighted: bool = True) -> Tensor:
        """Average values over the pairs of each layer, with weights; 0 where there is no pair.

        Args:
            values_LBM: A value of each pair; those of unmatched boxes are ignored.
            weighted: Use the quality weights; otherwise every pair counts 1.

        Returns:
            (L,).
        """
        matched_LBM = self.matched.to(values_LBM)
        numerator_LBM, denominator_LBM = matched_LBM, matched_LBM
        if weighted:
            numerator_LBM = matched_LBM * self.weights.numerator
            denominator_LBM = matched_LBM * self.weights.denominator
        total_LB = (torch.where(self.matched, values_LBM, 0.0) * numerator_LBM).sum(dim=-1)
        if self.average == 'sample':
            return mean_over_samples(total_LB / denominator_LBM.sum(dim=-1).clamp(min=1e-6), dim=1)
        return total_LB.sum(dim=1) / shared_normaliser(denominator_LBM.sum(dim=(1, 2)), floor=1e-6)
