"""Matched pairs of student and teacher queries, as the instance terms see them.

Legend: L student layers, B samples, Q student queries, M teacher boxes (padded), K classes, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..distributed.reductions import mean_over_samples, shared_normaliser
from ..structures import BEVOutputs
from .pairing import Pairing, take
from .quality import Weights

Average = Literal['batch', 'sample']


@dataclass(frozen=True)
class InstancePairs:
    """Pairs of some student layers with the teacher's last layer.

    Args:
        student: Outputs of the student.
        teacher: Outputs of the teacher.
        pairing: Who is paired with whom, for `layers`.
        weights: Worth of each teacher box, (B, M).
        layers: The student's layers in question; the last of them is its last layer.
        average: ``'batch'``: sums over batch and ranks divided by the mass of all of them, as DETR's losses do.
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
        """Whether a teacher box has a student query, (L, B, M)."""
        return self.pairing.matched

    def last(self) -> InstancePairs:
        """The pairs of the last layer alone."""
        pairing = Pairing(self.pairing.teacher_boxes, self.pairing.query[-1:], self.pairing.matched[-1:])
        return InstancePairs(self.student, self.teacher, pairing, self.weights, slice(-1, None), self.average)

    def student_logits(self) -> Tensor:
        """Class logits of the paired student queries, (L, B, M, K)."""
        return take(self.student.logits[self.layers], self.pairing.query)

    def student_codes(self) -> Tensor:
        """Box codes of the paired student queries, (L, B, M, 10)."""
        return take(self.student.codes[self.layers], self.pairing.query)

    def student_states(self) -> Tensor:
        """Decoder states of the paired student queries, (L, B, M, C)."""
        return take(self.student.states[self.layers], self.pairing.query)

    def teacher_states(self) -> Tensor:
        """Last decoder states of the paired teacher queries, (B, M, C'), without gradient."""
        return take(self.teacher.states[-1].detach(), self.pairing.teacher_boxes.query)

    def per_pair(self, totals_LB: Tensor) -> Tensor:
        """Totals of the samples (L, B) divided by the number of pairs, at least 1; (L,)."""
        count_LB = self.matched.sum(dim=-1).float()
        if self.average == 'sample':
            return mean_over_samples(totals_LB / count_LB.clamp(min=1), dim=1)
        return totals_LB.sum(dim=1) / shared_normaliser(count_LB.sum(dim=1), floor=1)

    def mean(self, values_LBM: Tensor, weighted: bool = True) -> Tensor:
        """Weighted mean over the pairs of each layer; 0 where there is no pair.

        Args:
            values_LBM: A value of each pair; those of unmatched boxes are ignored.
            weighted: Use the quality weights; otherwise every pair counts 1.

        Returns:
            (L,).
        """
        matched_LBM = self.matched.to(values_LBM)
        value_LBM, mass_LBM = matched_LBM, matched_LBM
        if weighted:
            value_LBM, mass_LBM = matched_LBM * self.weights.value, matched_LBM * self.weights.mass
        total_LB = (torch.where(self.matched, values_LBM, 0.0) * value_LBM).sum(dim=-1)
        if self.average == 'sample':
            return mean_over_samples(total_LB / mass_LBM.sum(dim=-1).clamp(min=1e-6), dim=1)
        return total_LB.sum(dim=1) / shared_normaliser(mass_LBM.sum(dim=(1, 2)), floor=1e-6)
