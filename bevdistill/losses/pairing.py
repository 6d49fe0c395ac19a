"""Pairs of a teacher query and the student query that learns from it.

Legend: L student layers, B samples, Q student queries, M teacher boxes (padded), K classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from mmdet3d.registry import MODELS, TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..detection.hungarian import WORST_COST, solve_assignments, solve_together
from ..structures import BEVOutputs, Targets, encode_boxes


@dataclass(frozen=True)
class TeacherBoxes:
    """Teacher boxes of a batch, padded to M per sample; nothing carries a gradient.

    Args:
        teacher_index: Teacher query of each box, (B, M).
        valid: False for padding and for boxes that were not selected, (B, M).
        boxes: (B, M, 9), gravity centres, metres.
        codes: (B, M, 10), with sine and cosine on the unit circle.
        scores: Class probabilities, (B, M, K).
    """

    teacher_index: Tensor
    valid: Tensor
    boxes: Tensor
    codes: Tensor
    scores: Tensor

    @classmethod
    def gather(cls, teacher: BEVOutputs, query_BM: Tensor, valid_BM: Tensor) -> TeacherBoxes:
        """Read the last decoder layer of the teacher at the given queries."""
        boxes = gather_queries(teacher.boxes.detach(), query_BM)
        scores = gather_queries(teacher.logits[-1].detach().sigmoid(), query_BM)
        return cls(query_BM, valid_BM, boxes, encode_boxes(boxes), scores)

    @property
    def score(self) -> Tensor:
        """Return the largest class probability, (B, M)."""
        return self.scores.amax(dim=-1)


@dataclass(frozen=True)
class Pairing:
    """Result of pairing.

    Args:
        teacher_boxes: The M teacher boxes of each sample.
        student_index: Paired student query of each box and layer, (L, B, M); 0 where there is none.
        matched: Whether there is one, (L, B, M).
    """

    teacher_boxes: TeacherBoxes
    student_index: Tensor
    matched: Tensor


class Pairer(nn.Module, ABC):
    """Contract of all pairing rules.

    `teacher_queries` is how many of the teacher's best queries a rule reads, None for all.
    """

    wants: tuple[str, ...] = ()
    teacher_queries: int | None = None

    @abstractmethod
    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets, layers: slice) -> Pairing:
        """Pair teacher queries with the student queries of each of the given layers."""


@MODELS.register_module()
class TeacherBoxPairing(Pairer):
    """Match the best teacher boxes one to one with student queries (Hungarian), layer by layer.

    Selection: the `max_boxes` queries of the teacher's last layer with the largest class probability, if it is above
    `score_threshold`. Matching cost, as in the release: ``1.0 * BCE + 0.25 * L1`` over the code's first eight slots.

    Note:
        The release neither thresholds nor filters by range, and keeps 50 boxes although its config is named after 100;
        those are the defaults. With more teacher boxes than student queries the costliest boxes stay unmatched.

    Args:
        max_boxes: Largest number of boxes of a sample.
        score_threshold: Boxes at or below it are left out.
        cls_cost: Config of a cost on ``scores`` (logits) and ``soft_labels``.
        reg_cost: Config of a cost on ``codes``.

    Raises:
        ValueError: If `max_boxes` is not positive.
    """

    wants = ('student.logits', 'student.codes', 'teacher.logits', 'teacher.codes')

    def __init__(
        self,
        max_boxes: int = 50,
        score_threshold: float = 0.0,
        cls_cost: dict[str, Any] | None = None,
        reg_cost: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if max_boxes < 1:
            raise ValueError(f'max_boxes must be at least 1, got {max_boxes}')
        self.max_boxes = self.teacher_queries = max_boxes
        self.score_threshold = score_threshold
        self.cls_cost = TASK_UTILS.build(cls_cost or dict(type='SoftClassCost', weight=1.0))
        self.reg_cost = TASK_UTILS.build(reg_cost or dict(type='BoxCodeL1Cost', weight=0.25))

    @torch.no_grad()
    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets, layers: slice) -> Pairing:
        """Select and match.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Not used.
            layers: Student layers to match.
        """
        boxes = self.select(teacher)
        logits_LBQK, codes_LBQ = student.logits[layers].detach(), student.codes[layers].detach()
        num_layers, batch, queries, _ = logits_LBQK.shape
        costs = []
        for sample in range(batch):
            predicted = InstanceData(
                scores=logits_LBQK[:, sample].flatten(0, 1), codes=codes_LBQ[:, sample].flatten(0, 1)
            )
            wanted = InstanceData(soft_labels=boxes.scores[sample], codes=boxes.codes[sample])
            cost = self.cls_cost(predicted, wanted) + self.reg_cost(predicted, wanted)
            # Constant columns leave the optimum of the others alone, and the highest cost is assigned last.
            costs.append(cost.view(num_layers, queries, -1).masked_fill(~boxes.valid[sample], WORST_COST))
        index_LBM, matched_LBM = invert_assignment(solve_assignments(costs), boxes.valid.shape[1])
        return Pairing(boxes, index_LBM, matched_LBM & boxes.valid)

    def select(self, teacher: BEVOutputs) -> TeacherBoxes:
        """Select the best boxes of the teacher's last layer."""
        score_BQ = teacher.logits[-1].detach().sigmoid().amax(dim=-1)
        score_BM, query_BM = score_BQ.topk(min(self.max_boxes, score_BQ.shape[1]), dim=1)
        return TeacherBoxes.gather(teacher, query_BM, score_BM > self.score_threshold)


@MODELS.register_module()
class GroundTruthPairing(Pairer):
    """Pair the student query and the teacher query that detection's own matching assigns to the same object.

    There is no second assignment that could disagree with the one of the detection loss; without ground truth there
    are no pairs.

    Args:
        matcher: Config of the matcher of both sides, default
            :class:`~bevdistill.detection.hungarian.HungarianMatcher`.
    """

    wants = ('student.logits', 'student.codes', 'teacher.logits', 'teacher.codes', 'targets')

    def __init__(self, matcher: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.matcher = TASK_UTILS.build(matcher or dict(type='HungarianMatcher'))

    @torch.no_grad()
    def forward(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets, layers: slice) -> Pairing:
        """Match both sides to the ground truth.

        Args:
            student: Outputs of the student.
            teacher: Outputs of the teacher.
            targets: Ground truth; M is the largest number of objects of a sample, at least 1.
            layers: Student layers to match.
        """
        size = max(1, *(len(labels) for labels in targets.labels))
        teacher_assigned, student_assigned = solve_together([
            self.matcher.costs(side.logits[rows].detach(), side.codes[rows].detach(), targets)
            for side, rows in ((teacher, slice(-1, None)), (student, layers))
        ])
        teacher_query_1BM, teacher_found_1BM = invert_assignment(teacher_assigned, size)
        boxes = TeacherBoxes.gather(teacher, teacher_query_1BM[0], teacher_found_1BM[0])
        index_LBM, matched_LBM = invert_assignment(student_assigned, size)
        return Pairing(boxes, index_LBM, matched_LBM & boxes.valid)


def invert_assignment(target_LBQ: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Invert an assignment: from the target of each query to the query of each target.

    Args:
        target_LBQ: Index of the target in ``0 .. size - 1``, or negative, (L, B, Q).
        size: Number of targets M.

    Returns:
        Query of each target, (L, B, M), 0 where there is none, and whether there is one, (L, B, M) bool.
    """
    layers, batch, queries = target_LBQ.shape
    slot_LBQ = torch.where(target_LBQ < 0, size, target_LBQ)
    index_LBQ = torch.arange(queries, device=target_LBQ.device).expand(layers, batch, queries)
    query_LBM = target_LBQ.new_full((layers, batch, size + 1), -1).scatter(2, slot_LBQ, index_LBQ)[..., :size]
    return query_LBM.clamp(min=0), query_LBM >= 0


def gather_queries(values: Tensor, index: Tensor) -> Tensor:
    """Select queries: values (..., Q, C) at an index (..., M), (..., M, C)."""
    return values.gather(-2, index[..., None].expand(*index.shape, values.shape[-1]))
