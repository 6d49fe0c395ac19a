"""Compare the class scores of paired queries."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor

from .instance_pairs import InstancePairs
from .instance_terms import InstanceTerm


@MODELS.register_module()
class SoftClassTerm(InstanceTerm):
    """Binary cross entropy of student logits against teacher probabilities, summed over classes.

    With ``temperature`` tau both sides' logits are divided by tau and the term is multiplied by tau^2 (Hinton et al.,
    arXiv 1503.02531). ``subtract_entropy`` removes the teacher's entropy: the term becomes the Kullback-Leibler
    divergence of two Bernoulli variables per class, 0 where both agree, with the same gradient. A softmax over classes
    would be wrong here: detectors score each class by a sigmoid, and background is the absence of all.

    Note:
        The release gives queries without a teacher box the label 10.0 (the number of classes) in every class with
        weight 1, so that the term means nothing; its weight is 0 there. ``released_unmatched`` reproduces it. Otherwise
        such queries are ignored, or taught 0 with ``unmatched='background'``.
        The release never weights this term by quality: ``weighted=False``.

    Args:
        unmatched: ``'ignore'`` or ``'background'``, what queries without a teacher box are taught.
        weighted: Use the quality weights.
        temperature: tau > 0.
        subtract_entropy: Give the divergence in place of the cross entropy.
        released_unmatched: Reproduce the release; then `unmatched` does not matter.

    Raises:
        ValueError: If `unmatched` is unknown or `temperature` is not positive.
    """

    wants = ('student.logits', 'teacher.logits')

    def __init__(
        self,
        unmatched: Literal['ignore', 'background'] = 'ignore',
        weighted: bool = True,
        temperature: float = 1.0,
        subtract_entropy: bool = False,
        released_unmatched: bool = False,
    ) -> None:
        super().__init__()
        if unmatched not in ('ignore', 'background'):
            raise ValueError(f"unmatched must be 'ignore' or 'background', got '{unmatched}'")
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.unmatched = unmatched
        self.weighted = weighted
        self.temperature = temperature
        self.subtract_entropy = subtract_entropy
        self.released_unmatched = released_unmatched

    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare class scores; (L,)."""
        soft_BMK = self._soft_labels(pairs.pairing.teacher_boxes.scores)
        logits_LBMK = pairs.student_logits() / self.temperature
        value_LBMK = F.binary_cross_entropy_with_logits(logits_LBMK, soft_BMK.expand_as(logits_LBMK), reduction='none')
        if self.subtract_entropy:
            value_LBMK = value_LBMK - F.binary_cross_entropy(soft_BMK, soft_BMK, reduction='none')
        loss_L = pairs.mean(value_LBMK.sum(dim=-1), weighted=self.weighted)
        if self.unmatched == 'background' or self.released_unmatched:
            loss_L = loss_L + self._background(pairs)
        return loss_L * self.temperature**2

    def _soft_labels(self, scores_BMK: Tensor) -> Tensor:
        """Teacher probabilities at the temperature."""
        if self.temperature == 1:
            return scores_BMK
        return (torch.logit(scores_BMK, eps=1e-6) / self.temperature).sigmoid()

    def _background(self, pairs: InstancePairs) -> Tensor:
        """Cross entropy of queries without a teacher box, per pair, (L,)."""
        logits_LBQK = pairs.student.logits[pairs.layers] / self.temperature
        label = float(logits_LBQK.shape[-1]) if self.released_unmatched else 0.0
        value_LBQ = (F.softplus(logits_LBQK) - label * logits_LBQK).sum(dim=-1)
        # Unmatched teacher boxes point at query 0: they must not claim it, hence the extra slot that is cut off.
        queries = value_LBQ.shape[-1]
        slot_LBM = torch.where(pairs.matched, pairs.pairing.query, queries)
        taken_LBQ = value_LBQ.new_zeros(*value_LBQ.shape[:-1], queries + 1).scatter(-1, slot_LBM, 1.0)[..., :queries]
        return pairs.per_pair((value_LBQ * (1 - taken_LBQ)).sum(dim=-1))
