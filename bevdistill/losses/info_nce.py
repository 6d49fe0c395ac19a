"""InfoNCE, shared by both contrastive losses."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

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
            loss_BN = _in_blocks(own_BNC / temperature, others_BMC, valid_BM, start)
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


def _in_blocks(own_BNC: Tensor, others_BMC: Tensor, valid_BM: Tensor | None, start: int) -> Tensor:
    """Compute :func:`_rows` some rows at a time; (B, N).

    The similarities of a block are computed again in the backward pass, so that those of all rows, 5,400 x 5,400 in the
    release, are never in memory together.
    """
    rows = max(1, BLOCK // others_BMC.shape[1])
    if own_BNC.shape[1] <= rows:
        return _rows(own_BNC, others_BMC, valid_BM, start)
    blocks = [
        checkpoint(_rows, block_BNC, others_BMC, valid_BM, start + place * rows,
                   use_reentrant=False, preserve_rng_state=False)
        for place, block_BNC in enumerate(own_BNC.split(rows, dim=1))
    ]  # fmt: skip
    return torch.cat(blocks, dim=1)


def _rows(own_BNC: Tensor, others_BMC: Tensor, valid_BM: Tensor | None, start: int) -> Tensor:
    """Compute the cross entropy of each row's similarities with column ``start + row`` as its class; (B, N)."""
    similarity_BNM = own_BNC @ others_BMC.transpose(1, 2)
    positive_BN = similarity_BNM.diagonal(start, dim1=1, dim2=2)
    if valid_BM is not None:
        lowest = torch.finfo(similarity_BNM.dtype).min
        own = torch.zeros(similarity_BNM.shape[1:], dtype=torch.bool, device=similarity_BNM.device)
        own.diagonal(start).fill_(True)
        # The own column stays in, so that rows without a partner are finite too.
        similarity_BNM = similarity_BNM.masked_fill(~(valid_BM[:, None, :] | own), lowest)
    return torch.logsumexp(similarity_BNM, dim=-1) - positive_BN
