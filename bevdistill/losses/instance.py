"""Sparse distillation: match teacher boxes to student queries and compare each pair."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..structures import BEVOutputs, Targets
from .instance_pairs import Average, InstancePairs
from .instance_terms import InstanceTerm
from .pairing import Pairer
from .quality import Quality


@MODELS.register_module()
class InstanceDistillLoss(nn.Module):
    """Quality-weighted sum of terms over pairs of student and teacher queries.

    Paper (BEVDistill, arXiv 2211.09386, section 3.2.2, equation 13)::

        loss = 1/N * sum_i q_i ( alpha * InfoNCE(h_i^S, h_i^T) + beta * |b_i^T - b_sigma(i)^S|_1 )

    with q the weight of :class:`~.quality.ScoreIoUQuality`, applied to each instance before the mean. The release has
    no InfoNCE here (it contrasts BEV features instead, :class:`~.bev_contrast.BEVContrastLoss`), only the box term on
    all layers, weighted by squared scores.

    The pairing of a step is computed once and shared by all terms. Terms of the student's last layer are named
    ``loss_<term>``, those of layer i ``d<i>.loss_<term>``. ``pairs`` (number of pairs of a sample) and ``quality``
    (their mean weight) are logged and not trained.

    Args:
        pairing: Config of a rule of pairing, see :mod:`.pairing`.
        quality: Config of a quality weight, see :mod:`.quality`.
        terms: Config of each term by name, see :class:`~.instance_terms.InstanceTerm`; each may carry a ``weight``
            (default 1) and ``layers``, ``'all'`` or ``'last'`` (default) decoder layers of the student. Terms of
            weight 0 are not built.
        average: How samples of a batch combine, see :class:`~.instance_pairs.InstancePairs`.

    Raises:
        ValueError: If an option is unknown or no term is left.
    """

    def __init__(
        self,
        pairing: dict[str, Any],
        quality: dict[str, Any],
        terms: dict[str, dict[str, Any]],
        average: Average = 'batch',
    ) -> None:
        super().__init__()
        if average not in ('batch', 'sample'):
            raise ValueError(f"average must be 'batch' or 'sample', got '{average}'")
        self.pairing: Pairer = MODELS.build(pairing)
        self.quality: Quality = MODELS.build(quality)
        self.average: Average = average
        self.term_weights: dict[str, float] = {}
        self.term_layers: dict[str, Literal['all', 'last']] = {}
        self.terms = nn.ModuleDict()
        for name, config in terms.items():
            self._add_term(name, deepcopy(config))
        if not self.terms:
            raise ValueError(f'InstanceDistillLoss has no term with a weight above 0, got {sorted(terms)}')
        parts: list[Any] = [self.pairing, self.quality, *self.terms.values()]
        wants = [tap for part in parts for tap in part.wants]
        self.wants = tuple(dict.fromkeys(wants))
        self.teacher_queries = self.pairing.teacher_queries

    def _add_term(self, name: str, config: dict[str, Any]) -> None:
        weight, layers = float(config.pop('weight', 1.0)), config.pop('layers', 'last')
        if layers not in ('all', 'last'):
            raise ValueError(f"term '{name}': layers must be 'all' or 'last', got '{layers}'")
        if weight == 0:
            return
        term: InstanceTerm = MODELS.build(config)
        self.terms[name] = term
        self.term_weights[name] = weight
        self.term_layers[name] = layers

    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> dict[str, Tensor]:
        """Compute the terms.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher; its number of queries, layers and channels may differ from the student's.
            targets: Ground truth.

        Returns:
            Scalars by name, see above.
        """
        layers = slice(None) if 'all' in self.term_layers.values() else slice(-1, None)
        pairing = self.pairing(student, teacher, targets, layers)
        weights = self.quality(pairing.teacher_boxes, targets)
        all_pairs = InstancePairs(student, teacher, pairing, weights, layers, self.average)
        last_pairs = all_pairs.last()
        losses: dict[str, Tensor] = {}
        for name, term in self.terms.items():
            pairs = all_pairs if self.term_layers[name] == 'all' else last_pairs
            per_layer = term(pairs) * self.term_weights[name]
            for index, value in enumerate(per_layer):
                prefix = '' if index == len(per_layer) - 1 else f'd{index}.'
                losses[f'{prefix}loss_{name}'] = value
        matched = last_pairs.matched[0].float()
        losses['pairs'] = matched.sum(dim=1).mean()
        losses['quality'] = (matched * weights.numerator).sum() / matched.sum().clamp(min=1)
        return losses
