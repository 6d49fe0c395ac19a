from __future__ import annotations

import pytest
import torch
from torch import nn

from bevdistill.losses import MLPCritic
from bevdistill.losses.critics import has_batch_norm, normalise_over_ranks


def kinds(module: nn.Sequential) -> list[str]:
    return [type(child).__name__ for child in module]


def test_shape_of_the_release() -> None:
    critic = MLPCritic(256, 512, depth=2, projections=1, norm='BN')
    assert kinds(critic.projections) == ['Linear']
    assert kinds(critic.mlp) == ['Linear', 'SetBatchNorm', 'ReLU', 'Linear']
    assert critic(torch.randn(3, 256)).shape == (3, 512)
    assert has_batch_norm(critic)
    assert not critic.mlp[1].over_ranks
    normalise_over_ranks(critic)
    assert critic.mlp[1].over_ranks


@pytest.mark.parametrize(('depth', 'projections', 'linears'), [(0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 2, 5)])
def test_depth(depth: int, projections: int, linears: int) -> None:
    critic = MLPCritic(4, 6, depth=depth, projections=projections)
    assert sum(isinstance(module, nn.Linear) for module in critic.modules()) == linears
    assert critic(torch.randn(2, 5, 4)).shape == (2, 5, 6 if linears else 4)
    assert not has_batch_norm(critic)


def test_messages() -> None:
    with pytest.raises(ValueError, match='must not be negative, got -1 and 0'):
        MLPCritic(4, 4, depth=-1)
    with pytest.raises(ValueError, match=r"one of \['BN', 'LN'\] or None, got 'GN'"):
        MLPCritic(4, 4, norm='GN')
    with pytest.raises(ValueError, match=r'built for 4 channels but got vectors of shape \(2, 5\)'):
        MLPCritic(4, 4)(torch.randn(2, 5))


@pytest.mark.parametrize(('norm', 'between'), [('LN', ['LayerNorm', 'ReLU']), (None, ['ReLU'])])
def test_norm_and_activation_stand_between_the_layers(norm: str | None, between: list[str]) -> None:
    assert kinds(MLPCritic(4, 6, norm=norm, depth=3).mlp) == ['Linear', *between, 'Linear', *between, 'Linear']
