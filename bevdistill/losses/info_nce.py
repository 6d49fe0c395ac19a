"""The contrastive estimate that both instance losses use."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Anchor = Literal['student', 'teacher', 'both']


def info_nce(
    student_BNC: Tensor,
    teacher_BNC: Tensor,
    valid_BN: Tensor | None = None,
    temperature: float = 0.07,
    anchor: Anchor = 'student',
) -> Tensor:
    """InfoNCE of each row (CPC, arXiv 1807.03748, equation 4), not averaged.

    With unit vectors s_i, t_i of one set of N rows and temperature tau::

        student as anchor:  loss_i = -log( exp(s_i . t_i / tau) / sum_j exp(s_i . t_j / tau) )
        teacher as anchor:  loss_i = -log( exp(t_i . s_i / tau) / sum_j exp(t_i . s_j / tau) )

    Args:
        student_BNC: Vectors of B sets; they are normalised here.
        teacher_BNC: Their partners.
        valid_BN: Rows that exist; the others are nobody's negatives and get a loss of 0. None: all.
        temperature: tau > 0.
        anchor: Which side asks; ``'both'`` is the mean of the two.

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
    similarity_BNN = F.normalize(student_BNC, dim=-1) @ F.normalize(teacher_BNC, dim=-1).transpose(1, 2) / temperature
    if anchor == 'both':
        return (_rows(similarity_BNN, valid_BN) + _rows(similarity_BNN.transpose(1, 2), valid_BN)) / 2
    return _rows(similarity_BNN if anchor == 'student' else similarity_BNN.transpose(1, 2), valid_BN)


def _rows(similarity_BNN: Tensor, valid_BN: Tensor | None) -> Tensor:
    """Cross entropy of each row with its own column as the class, (B, N)."""
    if valid_BN is not None:
        lowest = torch.finfo(similarity_BNN.dtype).min
        own = torch.eye(similarity_BNN.shape[1], dtype=torch.bool, device=similarity_BNN.device)
        # A row always sees its own column, so that rows without a partner stay finite too.
        similarity_BNN = similarity_BNN.masked_fill(~(valid_BN[:, None, :] | own), lowest)
    loss_BN = torch.logsumexp(similarity_BNN, dim=-1) - similarity_BNN.diagonal(dim1=1, dim2=2)
    return loss_BN if valid_BN is None else torch.where(valid_BN, loss_BN, 0.0)
