"""Measure how a student follows its teacher, from the outputs of one step. Nothing here waits for the device.

Legend: B samples, Q queries, M teacher boxes (padded), K classes, C channels, N cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..losses.alignment import resize_map
from ..losses.pairing import Pairing, gather_queries
from ..structures import BEVOutputs, Targets

GOLDEN = (math.sqrt(5) - 1) / 2
"""Its multiples modulo 1 cover the unit interval evenly, and in step with no row or column of a map."""


def linear_cka(first_NC: Tensor, second_NC: Tensor) -> Tensor:
    """Compare two sets of features of the same places, whatever their scale, rotation and number of channels.

    Linear centred kernel alignment (Kornblith et al., arXiv 1905.00414, equation 5): with the columns of X and Y
    centred, ``|Y^T X|_F^2 / (|X^T X|_F |Y^T Y|_F)``, 1 for features that are equal up to scale and rotation.

    Note:
        Unrelated features do not give 0 but about ``C / (C + N)``: take many more places than channels.

    Args:
        first_NC: Features of N places, (N, C).
        second_NC: The same places, (N, C').

    Returns:
        Scalar in ``[0, 1]``; NaN if either side is constant.
    """
    first, second = (side.float() - side.float().mean(dim=0) for side in (first_NC, second_NC))
    own_first, own_second = (torch.linalg.matrix_norm(side.T @ side) for side in (first, second))
    return (second.T @ first).square().sum() / (own_first * own_second)


def map_agreement(student: BEVOutputs, teacher: BEVOutputs, most: int = 4096) -> Tensor:
    """Compute :func:`linear_cka` of the two BEV maps, the teacher's laid on the student's grid.

    Args:
        student: Outputs of the student.
        teacher: Outputs of the teacher.
        most: Compare at most so many cells, spread evenly over the maps of the batch.
    """
    maps = (student.bev.detach(), resize_map(teacher.bev.detach(), teacher.grid, student.grid))
    cells = [side.permute(0, 2, 3, 1).flatten(0, 2) for side in maps]
    if len(cells[0]) > most:
        place_N = torch.arange(most, device=student.bev.device, dtype=torch.float64) * GOLDEN % 1 * len(cells[0])
        cells = [side[place_N.long()] for side in cells]
    return linear_cka(*cells)


def matched_distances(student: BEVOutputs, pairing: Pairing) -> tuple[Tensor, Tensor]:
    """Sum the distances on the ground between teacher boxes and the student boxes that they are paired with.

    Args:
        student: Outputs of the student.
        pairing: Pairs of its last layer.

    Returns:
        Sum in metres and number of pairs.
    """
    centre_BM2 = gather_queries(student.boxes.detach().float(), pairing.student_index[-1])[..., :2]
    distance_BM = (centre_BM2 - pairing.teacher_boxes.boxes[..., :2]).norm(dim=-1)
    matched_BM = pairing.matched[-1]
    return torch.where(matched_BM, distance_BM, 0.0).sum(), matched_BM.sum()


def effective_numbers(weight_BM: Tensor, matched_BM: Tensor) -> tuple[Tensor, Tensor]:
    """Compute how many pairs of equal weight would count as much: ``(sum w)^2 / sum w^2`` (Kish) of each sample.

    Returns:
        Their sum, and the number of samples with a pair that has a weight.
    """
    weight_BM = weight_BM * matched_BM
    square_B = weight_BM.square().sum(dim=1)
    number_B = weight_BM.sum(dim=1).square() / square_B.clamp(min=torch.finfo(weight_BM.dtype).tiny)
    return number_B.sum(), (square_B > 0).sum()


def score_gaps(
    outputs: BEVOutputs, targets: Targets, places: Sequence[int], threshold: float, radius: float = 2.0
) -> tuple[Tensor, Tensor]:
    """Sum, over the boxes that score at least `threshold`, their scores less 1 for each that is right.

    A box is right if it is the best-scored one of its class within `radius` of an object of that class, each box
    belonging to the nearest such object. The mean is the gap between the mean score and the share of right boxes.

    Args:
        outputs: Of a detector; the last layer counts.
        targets: Ground truth.
        places: Samples that count.
        threshold: Score of the boxes that count.
        radius: Metres on the ground, between centres; nuScenes' matching has 0.5, 1, 2 and 4.

    Returns:
        Sum and number of boxes.
    """
    score_BQ, label_BQ = outputs.logits[-1].detach().float().sigmoid().max(dim=-1)
    score_BQ = torch.where(score_BQ >= threshold, score_BQ, 0.0)
    centre_BQ2 = outputs.boxes.detach().float()[..., :2]
    gap, count = score_BQ.new_zeros(()), score_BQ.new_zeros(())
    for place in places:
        score_Q, centre_n2 = score_BQ[place], targets.boxes[place][:, :2].float()
        gap, count = gap + score_Q.sum(), count + (score_Q > 0).sum()
        if len(centre_n2) == 0:
            continue
        other_Qn = label_BQ[place, :, None] != targets.labels[place]
        distance_Qn = torch.cdist(centre_BQ2[place], centre_n2).masked_fill(other_Qn, torch.inf)
        nearest_Q1 = distance_Qn.argmin(dim=1, keepdim=True)
        near_Q1 = distance_Qn.gather(1, nearest_Q1) <= radius
        score_Qn = torch.zeros_like(distance_Qn).scatter(1, nearest_Q1, score_Q[:, None] * near_Q1)
        gap = gap - (score_Qn.amax(dim=0) > 0).sum()
    return gap, count


def gradient_norms(
    losses: Mapping[str, Tensor | Sequence[Tensor]], bev: Tensor, scale: float = 1.0
) -> dict[str, Tensor]:
    """Compute the norm of the gradient of each trained loss term with respect to the student's BEV map.

    ``|d term / d map|_2``; terms of all decoder layers (``d0.loss_cls``, ``loss_cls``) are summed first. The graph
    stays for the backward pass of the step, and no gradient is accumulated anywhere.

    Args:
        losses: Terms of a step, as the distiller returns them: those with ``loss`` in the name are trained.
        bev: The student's map, in the graph of the terms.
        scale: Factor during the computation, against underflow in float16.

    Returns:
        Norms by term; 0 for a term that the map does not move.
    """
    terms: dict[str, Tensor] = {}
    for name, value in losses.items():
        if 'loss' in name:
            value = value if isinstance(value, Tensor) else torch.stack([part.sum() for part in value]).sum()
            key = '.'.join(part for part in name.split('.') if not (part[:1] == 'd' and part[1:].isdecimal()))
            terms[key] = terms[key] + value.sum() if key in terms else value.sum()
    norms = {}
    for name, value in terms.items():
        gradient = None
        if value.requires_grad and bev.requires_grad:
            (gradient,) = torch.autograd.grad(
                value, bev, torch.full_like(value, scale), retain_graph=True, allow_unused=True
            )
        norms[name] = bev.new_zeros((), dtype=torch.float32) if gradient is None else gradient.float().norm() / scale
    return norms
