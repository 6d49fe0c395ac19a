"""Regions of dense imitation: places on the BEV map and their weights.

A region turns a pair of maps into samples at P places with a weight each. For masks the places are all cells; the
query-sampled region reads the maps at the student's predicted centres.

Legend: B samples, C channels, H x W cells, P places, L layers, Q queries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch.nn.functional as F
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..detection.gaussian import gaussian_foreground, hard_foreground
from ..structures import BEVGrid, BEVOutputs, Targets
from .alignment import resize_map

Maps = tuple[Tensor, Tensor]
Samples = tuple[Tensor, Tensor, Tensor]


class Region(nn.Module, ABC):
    """Contract of all regions of comparison."""

    wants: tuple[str, ...] = ()

    @abstractmethod
    def select(self, maps: Maps, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Samples:
        """Read both maps at the places of the region.

        Args:
            maps: Of student and teacher, (B, C, H, W) each, both on the student's grid.
            student: All outputs of the student.
            teacher: All outputs of the teacher.
            targets: Ground truth.

        Returns:
            Student samples (B, C, P), teacher samples (B, C, P), weights (B, P) of at least 0.
        """


class CellMask(Region):
    """Region of all cells, weighted by a map."""

    @abstractmethod
    def mask(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Tensor:
        """Compute the weights on the student's grid, (B, H, W)."""

    def select(self, maps: Maps, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Samples:
        """Return all cells of both maps with the weights of :meth:`mask`."""
        return maps[0].flatten(2), maps[1].flatten(2), self.mask(student, teacher, targets).flatten(1)


@MODELS.register_module()
class AllCells(CellMask):
    """Weight 1 in every cell."""

    def mask(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Tensor:
        """Ones, (B, H, W)."""
        return student.bev.new_ones(student.batch_size, student.grid.rows, student.grid.cols)


@MODELS.register_module()
class HardForeground(CellMask):
    """Weight 1 inside rotated ground-truth boxes, 0 elsewhere."""

    wants = ('targets',)

    def mask(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Tensor:
        """0 or 1, (B, H, W)."""
        return hard_foreground(targets, student.grid)


@MODELS.register_module()
class SoftForeground(CellMask):
    """Gaussian at every ground-truth centre of any class, merged by maximum.

    The paper (BEVDistill, arXiv 2211.09386, section 3.2.1) uses one standard deviation for all objects; the release
    takes it from the size of the box, see :func:`~bevdistill.detection.gaussian.gaussian_foreground`.

    Args:
        sigma: Standard deviation in cells, or None for the rule by box size.
        min_overlap: Rule by size: overlap that a box moved by the radius must keep.
        min_radius: Rule by size: smallest radius in cells.
        released_sides: Rule by size as the release has it where cells are not square, see there.
    """

    wants = ('targets',)

    def __init__(
        self,
        sigma: float | None = None,
        min_overlap: float = 0.1,
        min_radius: int = 1,
        released_sides: bool = False,
    ) -> None:
        super().__init__()
        self.sigma = sigma
        self.min_overlap = min_overlap
        self.min_radius = min_radius
        self.released_sides = released_sides

    def mask(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Tensor:
        """Values in [0, 1], (B, H, W)."""
        rule = self.min_overlap, self.min_radius, self.sigma, self.released_sides
        return gaussian_foreground(targets, student.grid, *rule)


@MODELS.register_module()
class PredictedForeground(CellMask):
    """Largest class probability of an auxiliary heatmap at each cell; needs no ground truth.

    Note:
        The release lets the gradient of the dense loss run through this mask, so that the student can lower its loss by
        hiding its own foreground. Here the mask carries no gradient unless ``released_gradient`` is set. The release
        also applies the sigmoid twice, because its heatmap loss overwrites the logits with probabilities;
        ``released_double_sigmoid`` reproduces that.

    Args:
        source: Whose heatmap, ``'student'`` (the release) or ``'teacher'``.
        released_gradient: Let gradients reach the heatmap.
        released_double_sigmoid: Apply the sigmoid twice.

    Raises:
        ValueError: If `source` is unknown.
    """

    def __init__(
        self,
        source: Literal['student', 'teacher'] = 'student',
        released_gradient: bool = False,
        released_double_sigmoid: bool = False,
    ) -> None:
        super().__init__()
        if source not in ('student', 'teacher'):
            raise ValueError(f"PredictedForeground source must be 'student' or 'teacher', got '{source}'")
        self.source = source
        self.wants = (f'{source}.heatmap',)
        self.released_gradient = released_gradient
        self.released_double_sigmoid = released_double_sigmoid

    def mask(self, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Tensor:
        """Values in (0, 1), (B, H, W)."""
        outputs = student if self.source == 'student' else teacher
        if outputs.heatmap is None:
            raise ValueError(f'PredictedForeground needs the auxiliary heatmap of the {self.source}')
        probability = outputs.heatmap.amax(dim=1, keepdim=True).sigmoid()
        if self.released_double_sigmoid:
            probability = probability.sigmoid()
        if not self.released_gradient:
            probability = probability.detach()
        return resize_map(probability, outputs.grid, student.grid)[:, 0]


@MODELS.register_module()
class QuerySampledForeground(Region):
    """Centres predicted by the student's decoder layers, with weight 1 each.

    Maps are read bilinearly; outside the map both read 0 (such a place has no error but counts in the mean, as in the
    release). Centres carry no gradient.

    Args:
        layers: ``'all'`` decoder layers (the release) or the ``'last'``.

    Raises:
        ValueError: If `layers` is unknown.
    """

    wants = ('student.codes',)

    def __init__(self, layers: Literal['all', 'last'] = 'all') -> None:
        super().__init__()
        if layers not in ('all', 'last'):
            raise ValueError(f"layers must be 'all' or 'last', got '{layers}'")
        self.layers = layers

    def select(self, maps: Maps, student: BEVOutputs, teacher: BEVOutputs, targets: Targets) -> Samples:
        """Sample both maps at the predicted centres, P = layers x queries."""
        centres_BP2 = predicted_centres(student, self.layers)
        student_BPC, teacher_BPC = (sample_map(side, student.grid, centres_BP2) for side in maps)
        weights_BP = centres_BP2.new_ones(centres_BP2.shape[:2])
        return student_BPC.transpose(1, 2), teacher_BPC.transpose(1, 2), weights_BP


def region_config(loss: str, where: dict[str, Any] | None, mask: dict[str, Any] | None) -> dict[str, Any]:
    """Choose between the two names under which configs hold a region.

    Args:
        loss: Name of the loss, for the message.
        where: Its name today.
        mask: Its earlier name, which configs with published results keep; read where `where` is None.

    Raises:
        ValueError: If neither is given.
    """
    region = where if where is not None else mask
    if region is None:
        raise ValueError(f"{loss} needs where=dict(type='AllCells') or another region of bevdistill.losses.foreground")
    return region


def predicted_centres(student: BEVOutputs, layers: Literal['all', 'last'] = 'all') -> Tensor:
    """Return the centres (x, y) that the decoder layers predict, metres, (B, L * Q, 2), without gradient."""
    codes_LBQ = student.codes if layers == 'all' else student.codes[-1:]
    return codes_LBQ[..., :2].detach().transpose(0, 1).flatten(1, 2)


def sample_map(map_BCHW: Tensor, grid: BEVGrid, centres_BP2: Tensor) -> Tensor:
    """Sample a map bilinearly, zero outside it.

    Args:
        map_BCHW: (B, C, H, W) over the range of `grid`.
        grid: Range of the map; its size does not matter.
        centres_BP2: Places (x, y), metres.

    Returns:
        (B, P, C).
    """
    places_B1P2 = grid.sampling_grid(centres_BP2)[:, None].to(map_BCHW)
    return F.grid_sample(map_BCHW, places_B1P2, align_corners=False)[:, :, 0].transpose(1, 2)
