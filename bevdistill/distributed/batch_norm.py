"""Normalise over the batches of all ranks, or over one set of rows.

Legend: S sets, N rows, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from ..structures.precision import full_precision
from .reductions import sum_over_ranks


class RankBatchNorm(_BatchNorm):
    """Batch norm over the batches of all ranks, on any device and backend.

    What :class:`torch.nn.SyncBatchNorm` computes, which has kernels for GPUs only. Ranks may hold different numbers of
    values, also none. Statistics in float32.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f'a batch norm needs (N, C, ...), got shape {tuple(input.shape)}')

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, ...)."""
        self._check_input_dim(input)
        if not self.training:
            return super().forward(input)
        axes = (0, *range(2, input.dim()))
        shape = (1, -1, *(1,) * (input.dim() - 2))
        values, mean, variance, count = standardise(input, axes, self.eps, over_ranks=True)
        track(self, mean.flatten(), variance.flatten(), count)
        if self.affine:
            values = values * self.weight.view(shape) + self.bias.view(shape)
        return values.to(input.dtype)


class SetBatchNorm(_NormBase):
    """Batch norm of rows, where the batch is a set of rows: each set of a tensor has statistics of its own.

    Not derived from torch's batch norm, so that nothing converts it to a synchronised one: its owner decides with
    :attr:`over_ranks` which rows belong together.

    Args:
        channels: C.

    Attributes:
        over_ranks: Normalise the rows of all sets on all ranks together.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.over_ranks = False

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise (S, N, C), or the one set (N, C)."""
        if not self.training:
            return nn.functional.batch_norm(
                rows.flatten(0, -2), self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            ).view_as(rows)
        axes = tuple(range(rows.dim() - 1)) if self.over_ranks else (rows.dim() - 2,)
        values, mean, variance, count = standardise(rows, axes, self.eps, self.over_ranks)
        track(self, mean.flatten(0, -2).mean(dim=0), variance.flatten(0, -2).mean(dim=0), count)
        return (values * self.weight + self.bias).to(rows.dtype)


class _Standardise(torch.autograd.Function):
    """Compute ``(x - mean) / sqrt(variance + eps)`` with the gradient in closed form.

    With z the result, g its gradient and averages over the n values of all ranks, the gradient of x is
    ``(g - mean(g) - z mean(g z)) / sqrt(variance + eps)``; derivatives of the formula's parts would lose digits.
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, axes: tuple[int, ...], eps: float, over_ranks: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        combine = sum_over_ranks if over_ranks else _unchanged
        count = combine(values.new_full((), math.prod(values.shape[axis] for axis in axes)))
        mean = combine(values.sum(dim=axes, keepdim=True)) / count
        # Two passes: the mean of squares minus the square of the mean loses digits.
        centred = values - mean
        variance = combine(centred.square().sum(dim=axes, keepdim=True)) / count
        scale = (variance + eps).rsqrt()
        standard = centred * scale
        ctx.save_for_backward(standard, scale, count)
        ctx.axes, ctx.combine = axes, combine
        ctx.mark_non_differentiable(mean, variance, count)
        return standard, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *others: None) -> tuple[Tensor, None, None, None]:
        standard, scale, count = ctx.saved_tensors
        sums = torch.stack([part.sum(dim=ctx.axes, keepdim=True) for part in (gradient, gradient * standard)])
        mean, slope = ctx.combine(sums) / count
        return (gradient - mean - standard * slope) * scale, None, None, None


def standardise(
    values: Tensor, axes: tuple[int, ...], eps: float, over_ranks: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Standardise to zero mean and unit variance along axes, in float32 at least.

    Args:
        values: Any shape.
        axes: Axes that belong to the batch.
        eps: Added to the variance.
        over_ranks: Include the batches of the other ranks.

    Returns:
        The standardised values; mean and (biased) variance with `axes` of size 1, and the number of values that they
        are of, without gradient.
    """
    return _Standardise.apply(full_precision(values), axes, eps, over_ranks)


def _unchanged(local: Tensor) -> Tensor:
    return local


@torch.no_grad()
def track(norm: _NormBase, mean: Tensor, variance: Tensor, count: Tensor) -> None:
    """Update a norm's running statistics as torch does, with its momentum and the unbiased variance."""
    if not norm.track_running_stats:
        return
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    norm.num_batches_tracked += 1
    factor = 1.0 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
    unbiased = variance * (count / (count - 1).clamp(min=1))
    norm.running_mean.add_((mean - norm.running_mean) * factor)
    norm.running_var.add_((unbiased - norm.running_var) * factor)


def meets_other_ranks(module: nn.Module) -> bool:
    """Tell whether a module communicates in its forward pass, so that ranks without input must run it too."""
    kinds = (RankBatchNorm, nn.SyncBatchNorm)
    return module.training and any(isinstance(child, kinds) for child in module.modules())


def synchronise_batch_norms(module: nn.Module) -> nn.Module:
    """Replace all batch norms inside a module by :class:`RankBatchNorm` with the same parameters and buffers.

    Args:
        module: Changed in place, unless it is a batch norm itself.

    Returns:
        The module.
    """
    if isinstance(module, _BatchNorm):
        return _synchronised(module)
    for name, child in module.named_children():
        setattr(module, name, synchronise_batch_norms(child))
    return module


def _synchronised(norm: _BatchNorm) -> RankBatchNorm:
    made = RankBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    made._parameters, made._buffers = norm._parameters, norm._buffers
    made.training = norm.training
    return made
