"""How much of a teacher's BEV map is in a student's, over many samples.

Legend: N cells, C and D channels of student and teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce
from operator import add

import torch
from torch import Tensor


@dataclass(frozen=True)
class MapMoments:
    """Weighted sums over cells from which all shares follow, so that no map has to be kept.

    With A the student's features and a column of ones, T the teacher's, W the weights on the diagonal.

    Args:
        design: ``A^T W A``, (C + 1, C + 1).
        mixed: ``A^T W T``, (C + 1, D).
        square: ``sum of W T^2`` over cells and channels, scalar.
    """

    design: Tensor
    mixed: Tensor
    square: Tensor

    @classmethod
    def of(cls, student_NC: Tensor, teacher_ND: Tensor, weight_N: Tensor) -> MapMoments:
        """Sum over the cells of a sample, in float64.

        Args:
            student_NC: Features of the student, (N, C).
            teacher_ND: Features of the teacher at the same places, (N, D).
            weight_N: Weights of at least 0, (N,).
        """
        teacher, weight = teacher_ND.double(), weight_N.double()[:, None]
        design = torch.cat((student_NC.double(), torch.ones_like(weight)), dim=1)
        return cls(design.T @ (weight * design), design.T @ (weight * teacher), (weight * teacher.square()).sum())

    def __add__(self, other: MapMoments) -> MapMoments:
        return MapMoments(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    @property
    def spread(self) -> Tensor:
        """Squared distance of the teacher's features from their mean, summed: ``sum of W |T - mean|^2``."""
        return self.square - self.mixed[-1].square().sum() / self.design[-1, -1]

    def error(self, coefficients: Tensor) -> Tensor:
        """Squared error of a linear map of the student's features: ``sum of W |T - A B|^2``, B (C + 1, D)."""
        fitted = (coefficients * (self.design @ coefficients)).sum()
        return self.square - 2 * (coefficients * self.mixed).sum() + fitted

    def fit(self, ridge: float = 1e-6) -> Tensor:
        """Fit the linear map by least squares, (C + 1, D).

        Args:
            ridge: Penalty in units of the mean of the design's diagonal, for channels that are constant.
        """
        size = len(self.design)
        penalty = ridge * self.design.diagonal().mean().clamp(min=torch.finfo(torch.float64).tiny)
        identity = torch.eye(size, dtype=self.design.dtype, device=self.design.device)
        return torch.linalg.solve(self.design + penalty * identity, self.mixed)


def share_as_it_is(parts: Sequence[MapMoments]) -> float:
    """Compute the share of the teacher's variance that the student's map is itself: ``1 - sum W |T - S|^2 / spread``.

    Args:
        parts: Moments of each sample.

    Returns:
        1 for equal maps, below 0 for one that is further away than the mean; NaN where the channels differ in number
        or nothing varies.
    """
    moments = reduce(add, parts)
    channels = len(moments.design) - 1
    if moments.mixed.shape[1] != channels:
        return float('nan')
    identity = torch.eye(channels + 1, channels, dtype=moments.design.dtype, device=moments.design.device)
    return float(1 - moments.error(identity) / moments.spread)


def share_by_linear_map(parts: Sequence[MapMoments]) -> float:
    """Compute the share of the teacher's variance that a linear map of the student's features explains.

    The map is fitted on every other sample and judged on the rest, then the other way round: what is in the student's
    features, whatever their coordinates. A student that has never seen the teacher has such a share too, as both learn
    from the same labels.

    Args:
        parts: Moments of each sample, at least 2.

    Returns:
        At most 1; NaN where nothing varies.
    """
    halves = [reduce(add, parts[first::2]) for first in (0, 1)]
    error = sum(judged.error(fitted.fit()) for fitted, judged in (halves, halves[::-1]))
    return float(1 - error / (halves[0].spread + halves[1].spread))
