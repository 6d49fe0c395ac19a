"""Draw which student box learns from which teacher box, and how much it counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from ..losses import InstanceDistillLoss
from ..losses.pairing import gather_queries
from ..structures import BEVGrid, BEVOutputs, Targets
from .bev_view import map_extent
from .figures import LABEL_SIZE, dark_panel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MatchedPairs:
    """Pairs of a sparse distillation loss for one sample, on the student's last decoder layer.

    Args:
        student: Centres of the student's boxes on the ground, (n, 2) metres.
        teacher: Those of the teacher's, (n, 2).
        weights: Quality weights, (n,).
    """

    student: Array
    teacher: Array
    weights: Array

    @classmethod
    @torch.no_grad()
    def of(cls, loss: InstanceDistillLoss, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> MatchedPairs:
        """Pair a batch of one as the loss does."""
        pairing = loss.pairing(student, teacher, targets, slice(-1, None))
        weights_BM = loss.quality(pairing.teacher_boxes, targets).numerator
        matched_M = pairing.matched[-1, 0]
        centres = gather_queries(student.boxes, pairing.student_index[-1]), pairing.teacher_boxes.boxes
        first, second = (boxes[0, matched_M, :2].double().cpu().numpy() for boxes in centres)
        return cls(first, second, weights_BM[0, matched_M].double().cpu().numpy())


def draw_pairs(axes: Axes, grid: BEVGrid, pairs: MatchedPairs) -> None:
    """Draw rings at the teacher's boxes, dots at the student's and lines between, brighter with more weight."""
    shown = pairs.weights > 0.01 * pairs.weights.max(initial=0.0)
    dark_panel(axes, f'matched pairs ({int(shown.sum())} of {len(shown)} count)')
    order = np.flatnonzero(shown)[np.argsort(pairs.weights[shown])]
    first, second, weights = pairs.student[order], pairs.teacher[order], pairs.weights[order]
    left, right, bottom, top = map_extent(grid)
    limits = (0.0, max(float(weights.max(initial=0.0)), 1e-9))
    lines = LineCollection(list(np.stack((first, second), axis=1)), cmap='cividis', linewidths=1.1)
    lines.set_array(weights)
    lines.set_clim(*limits)
    axes.add_collection(lines, autolim=False)
    colours = lines.get_cmap()(lines.norm(weights))
    axes.scatter(second[:, 0], second[:, 1], s=34, facecolors='none', edgecolors=colours, linewidths=1.1)
    axes.scatter(first[:, 0], first[:, 1], s=9, c=colours, linewidths=0)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect('equal')
    bar = axes.inset_axes((1.02, 0.0, 0.035, 1.0))
    axes.figure.colorbar(lines, cax=bar, format='%.2g')
    bar.tick_params(labelsize=LABEL_SIZE - 1.5, length=2, colors='0.25')
