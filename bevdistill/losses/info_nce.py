"""InfoNCE, shared by both contrastive losses."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..distributed.reductions import gather_rows

Anchor = Literal['student', 'teacher', 'both']

BLOCK = 1 << 21
"""Similarities of one set that are in memory at a time."""


def info_nce(
    student_BNC: Tensor,
    teacher_BNC: Tensor,
    valid_BN: Tensor | None = None,
    temperature: float = 0.07,
    anchor: Anchor = 'student',
    over_ranks: bool = False,
) -> Tensor:
    """Compute InfoNCE of each row (CPC, arXiv 1807.03748, equation 4), not averaged.

    With unit vectors s_i, t_i of one set of N rows and temperature tau::

        student as anchor:  loss_i = -log( exp(s_i . t_i / tau) / sum_j exp(s_i . t_j / tau) )
        teacher as anchor:  loss_i = -log( exp(t_i . s_i / tau) / sum_j exp(t_i . s_j / tau) )

    Args:
        student_BNC: Vectors of B sets; they are normalised here.
        teacher_BNC: Their partners.
        valid_BN: Rows that exist; padding is no row's negative and gets a loss of 0. None: all.
        temperature: tau > 0.
        anchor: Side of the anchors; ``'both'`` is the mean of the two.
        over_ranks: All rows of all ranks are one set: j runs over them all, and gradients reach them on their ranks.
            Each rank gets the losses of its own rows.

    Returns:
        (B, N).

    Raises:
        ValueError: If the anchor is unknown or the shapes differ.
    """
    if anchor not in ('student', 'teacher', 'both'):
        raise ValueError(f"anchor must be 'student', 'teacher' or 'both', got '{anchor}'")
    if student_BNC.shape != teacher_BNC.shape:
        raise ValueError(
            f'student vectors {tuple(student_BNC.shape)} and teacher vectors {tuple(teacher_BNC.shape)} must agree; '
            'let both critics end in the same number of channels'
        )
    student_BNC, teacher_BNC = F.normalize(student_BNC, dim=-1), F.normalize(teacher_BNC, dim=-1)
    shape, start = student_BNC.shape[:2], 0
    students_BMC, teachers_BMC, valid_BM = student_BNC, teacher_BNC, valid_BN
    if over_ranks:
        student_BNC, teacher_BNC = student_BNC.flatten(0, 1)[None], teacher_BNC.flatten(0, 1)[None]
        valid_BN = None if valid_BN is None else valid_BN.flatten()[None]
        students_BMC, teachers_BMC, valid_BM, start = _all_rows(student_BNC, teacher_BNC, valid_BN)
    losses = []
    for side, own_BNC, others_BMC in (('student', student_BNC, teachers_BMC), ('teacher', teacher_BNC, students_BMC)):
        if anchor in (side, 'both'):
            own_BNC = own_BNC / temperature
            positive_BN = (own_BNC * others_BMC[:, start : start + own_BNC.shape[1]]).sum(dim=-1)
            loss_BN = _LogSumExp.apply(own_BNC, others_BMC, valid_BM) - positive_BN
            losses.append(loss_BN if valid_BN is None else torch.where(valid_BN, loss_BN, 0.0))
    return torch.stack(losses).mean(dim=0).view(shape)


def _all_rows(
    student_1NC: Tensor, teacher_1NC: Tensor, valid_1N: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None, int]:
    """Gather the rows of all ranks, and the index of this rank's first."""
    students_MC, start = gather_rows(student_1NC[0])
    teachers_MC, _ = gather_rows(teacher_1NC[0])
    valid_1M = None if valid_1N is None else gather_rows(valid_1N[0, :, None].float())[0].bool().T
    return students_MC[None], teachers_MC[None], valid_1M, start


class _LogSumExp(torch.autograd.Function):
    """``log sum_j exp(a_i . b_j)``, some rows i at a time.

    The products of a block are computed again for the gradients, so that those of all rows, 5,400 x 5,400 in the
    release, are never in memory together.
    """

    @staticmethod
    def forward(ctx: Any, own_BNC: Tensor, others_BMC: Tensor, valid_BM: Tensor | None) -> Tensor:
        ctx.rows = max(1, BLOCK // others_BMC.shape[1])
        blocks = own_BNC.split(ctx.rows, dim=1)
        sums_BN = torch.cat([_products(rows, others_BMC, valid_BM).logsumexp(dim=-1) for rows in blocks], dim=1)
        ctx.save_for_backward(own_BNC, others_BMC, valid_BM, sums_BN)
        return sums_BN

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BN: Tensor) -> tuple[Tensor | None, ...]:
        own_BNC, others_BMC, valid_BM, sums_BN = ctx.saved_tensors
        to_own_BNC, to_others_BMC = torch.empty_like(own_BNC), torch.zeros_like(others_BMC)
        for first in range(0, own_BNC.shape[1], ctx.rows):
            rows = slice(first, first + ctx.rows)
            share_BRM = _products(own_BNC[:, rows], others_BMC, valid_BM)
            share_BRM.sub_(sums_BN[:, rows, None]).exp_().mul_(gradient_BN[:, rows, None])
            to_own_BNC[:, rows] = share_BRM @ others_BMC
            to_others_BMC.baddbmm_(share_BRM.transpose(1, 2), own_BNC[:, rows])
        return to_own_BNC, to_others_BMC, None


def _products(own_BRC: Tensor, others_BMC: Tensor, valid_BM: Tensor | None) -> Tensor:
    """Multiply rows, (B, R, M); columns that are not valid get the lowest number, finite if all do."""
    products_BRM = own_BRC @ others_BMC.transpose(1, 2)
    if valid_BM is not None:
        products_BRM.masked_fill_(~valid_BM[:, None, :], torch.finfo(products_BRM.dtype).min)
    return products_BRM
