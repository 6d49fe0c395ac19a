"""Comparisons of paired student and teacher queries: contract, box codes, class scores, decoder states.

Legend: L student layers, B samples, Q student queries, M teacher boxes (padded), K classes, C channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..detection.set_loss import CODE_WEIGHTS
from .adapters import check_channels
from .instance_pairs import InstancePairs


class InstanceTerm(nn.Module, ABC):
    """Contract of a comparison of pairs, one term of :class:`~.instance.InstanceDistillLoss`."""

    wants: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare the pairs.

        Returns:
            One value per student layer, the mean over its pairs, (L,).
        """


@MODELS.register_module()
class BoxCodeTerm(InstanceTerm):
    """L1 distance of box codes: ``mean_i q_i sum_d w_d |p_id - t_id|``.

    Args:
        code_weights: Weight w of each of the ten slots; velocity counts a fifth by default.

    Raises:
        ValueError: If there are not ten weights.
    """

    wants = ('student.codes', 'teacher.codes')
    code_weights: Tensor

    def __init__(self, code_weights: Sequence[float] = CODE_WEIGHTS) -> None:
        super().__init__()
        if len(code_weights) != len(CODE_WEIGHTS):
            raise ValueError(f'expected {len(CODE_WEIGHTS)} code weights, got {len(code_weights)}')
        self.register_buffer('code_weights', torch.tensor(code_weights, dtype=torch.float32), persistent=False)

    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare box codes; (L,)."""
        error_LBMD = (pairs.student_codes() - pairs.pairing.teacher_boxes.codes).abs()
        return pairs.mean((error_LBMD * self.code_weights).sum(dim=-1))


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
        """Return the teacher's probabilities at the temperature."""
        if self.temperature == 1:
            return scores_BMK
        return (torch.logit(scores_BMK, eps=1e-6) / self.temperature).sigmoid()

    def _background(self, pairs: InstancePairs) -> Tensor:
        """Compute the cross entropy of queries without a teacher box, per pair, (L,)."""
        logits_LBQK = pairs.student.logits[pairs.layers] / self.temperature
        label = float(logits_LBQK.shape[-1]) if self.released_unmatched else 0.0
        value_LBQ = (F.softplus(logits_LBQK) - label * logits_LBQK).sum(dim=-1)
        # Unmatched teacher boxes have index 0: they write into an extra slot that is cut off.
        queries = value_LBQ.shape[-1]
        slot_LBM = torch.where(pairs.matched, pairs.pairing.student_index, queries)
        taken_LBQ = value_LBQ.new_zeros(*value_LBQ.shape[:-1], queries + 1).scatter(-1, slot_LBM, 1.0)[..., :queries]
        return pairs.per_pair((value_LBQ * (1 - taken_LBQ)).sum(dim=-1))


@MODELS.register_module()
class StateL1Term(InstanceTerm):
    """Mean absolute difference of the pairs' decoder states, without contrast.

    Args:
        adapter: Config of an adapter from student to teacher channels, None when they are the same space.

    Raises:
        ValueError: In forward, if channels differ.
    """

    wants = ('student.states', 'teacher.states')

    def __init__(self, adapter: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.adapter = None if adapter is None else MODELS.build(adapter)

    def forward(self, pairs: InstancePairs) -> Tensor:
        """Compare states; (L,)."""
        student_LBMC, teacher_BMC = pairs.student_states(), pairs.teacher_states()
        if self.adapter is not None:
            student_LBMC = self.adapter(student_LBMC)
        check_channels(student_LBMC, teacher_BMC, 'state vector', dim=-1)
        return pairs.mean((student_LBMC - teacher_BMC).abs().mean(dim=-1))
