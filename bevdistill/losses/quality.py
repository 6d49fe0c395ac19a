"""Quality weights of teacher boxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..layers.rotated_iou import bev_iou, ground_rectangles, iou_3d
from ..structures import Targets
from .pairing import TeacherBoxes


class Weights(NamedTuple):
    """Weights of instances: a loss is ``sum(numerator_i * loss_i) / sum(denominator_i)``.

    Args:
        numerator: Factor of each instance's loss, (B, M).
        denominator: Part of each instance in the normaliser, (B, M): 1 for a plain mean.
    """

    numerator: Tensor
    denominator: Tensor


class Quality(nn.Module, ABC):
    """Contract of all quality weights."""

    wants: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, boxes: TeacherBoxes, targets: Targets) -> Weights:
        """Compute the weights of the teacher's boxes."""


@MODELS.register_module()
class UniformQuality(Quality):
    """Weight 1 for every teacher box."""

    def forward(self, boxes: TeacherBoxes, targets: Targets) -> Weights:
        """Weight every box by 1."""
        ones = torch.ones_like(boxes.score)
        return Weights(ones, ones)


@MODELS.register_module()
class ScoreQuality(Quality):
    """Weight by the teacher's class score s, the largest class probability.

    ``sum_i s_i loss_i / sum_i s_i``, or ``/ N`` with ``normaliser='count'``.

    Note:
        The release multiplies by the score twice and divides by the sum of the single scores:
        ``sum_i s_i^2 loss_i / sum_i s_i``; ``released_squared`` reproduces it. Its divisor is of one rank and not
        guarded; here it is always averaged over ranks and kept away from zero.

    Args:
        normaliser: ``'weight'`` (sum of scores) or ``'count'`` (number of pairs).
        released_squared: Multiply by the score twice.

    Raises:
        ValueError: If `normaliser` is unknown.
    """

    def __init__(self, normaliser: Literal['weight', 'count'] = 'weight', released_squared: bool = False) -> None:
        super().__init__()
        _check_normaliser(normaliser)
        self.normaliser = normaliser
        self.released_squared = released_squared

    def forward(self, boxes: TeacherBoxes, targets: Targets) -> Weights:
        """Weight the boxes by their scores."""
        score = boxes.score
        numerator = score.square() if self.released_squared else score
        return Weights(numerator, score if self.normaliser == 'weight' else torch.ones_like(score))


@MODELS.register_module()
class ScoreIoUQuality(Quality):
    """Weight by score and overlap with the ground truth.

    With the largest class probability and the best overlap with any object (BEVDistill, arXiv 2211.09386, 3.2.2)::

        q_i = score_i^gamma * max_j IoU(box_i, ground truth_j)^(1 - gamma)

    gamma 1 is the score alone, gamma 0 the IoU alone. Without ground truth the IoU is 0 and so is q, for gamma < 1.

    Note:
        The kind of IoU is not known for certain. Default is the rotated 3-D IoU, as of mmdet3d's
        ``LiDARInstance3DBoxes.overlaps``; ``'bev'`` takes the rotated overlap on the ground, which forgives height. The
        default of gamma is ours.

    Args:
        gamma: Balance in [0, 1].
        iou: ``'3d'`` or ``'bev'``.
        normaliser: ``'count'`` (mean over pairs, the paper's sum up to that factor) or ``'weight'`` (sum of weights).

    Raises:
        ValueError: If an option is out of range.
    """

    wants = ('targets',)

    def __init__(
        self,
        gamma: float = 0.5,
        iou: Literal['3d', 'bev'] = '3d',
        normaliser: Literal['count', 'weight'] = 'count',
    ) -> None:
        super().__init__()
        if not 0 <= gamma <= 1:
            raise ValueError(f'gamma must lie in [0, 1], got {gamma}')
        if iou not in ('3d', 'bev'):
            raise ValueError(f"iou must be '3d' or 'bev', got '{iou}'")
        _check_normaliser(normaliser)
        self.gamma = gamma
        self.iou = iou
        self.normaliser = normaliser

    def forward(self, boxes: TeacherBoxes, targets: Targets) -> Weights:
        """Weight the boxes by score and IoU."""
        best_iou = torch.stack([
            self._best_iou(boxes.boxes[sample], targets.boxes[sample]) for sample in range(len(targets))
        ])
        weight = boxes.score**self.gamma * best_iou ** (1 - self.gamma)
        return Weights(weight, weight if self.normaliser == 'weight' else torch.ones_like(weight))

    def _best_iou(self, boxes_M9: Tensor, truth_N9: Tensor) -> Tensor:
        """Compute the largest IoU of each box with any ground truth, (M,)."""
        if len(truth_N9) == 0:
            return boxes_M9.new_zeros(len(boxes_M9))
        predicted, truth = boxes_M9.float(), truth_N9.float()
        if self.iou == '3d':
            overlap = iou_3d(predicted, truth)
        else:
            overlap = bev_iou(ground_rectangles(predicted), ground_rectangles(truth))
        return overlap.amax(dim=1).clamp(0, 1).to(boxes_M9)


def _check_normaliser(normaliser: str) -> None:
    if normaliser not in ('weight', 'count'):
        raise ValueError(f"normaliser must be 'weight' or 'count', got '{normaliser}'")
