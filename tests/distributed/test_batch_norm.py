from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bevdistill.distributed.batch_norm import RankBatchNorm, SetBatchNorm, meets_other_ranks, synchronise_batch_norms


def spread(norm: nn.Module) -> nn.Module:
    """Random weights, so that nothing hides behind ones and zeros."""
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm


def gradients(norm: nn.Module, values: Tensor) -> tuple[Tensor, ...]:
    values = values.clone().requires_grad_()
    result = norm(values)
    result.pow(3).sum().backward()
    return result.detach(), values.grad, norm.weight.grad, norm.bias.grad  # type: ignore[return-value]


@pytest.mark.parametrize('momentum', [0.1, None])
@pytest.mark.parametrize(('kind', 'shape'), [(nn.BatchNorm1d, (7, 3)), (nn.BatchNorm2d, (2, 3, 4, 5))])
def test_one_rank_is_torchs_batch_norm(kind: type[nn.Module], shape: tuple[int, ...], momentum: float | None) -> None:
    theirs = spread(kind(3, momentum=momentum))
    ours = RankBatchNorm(3, momentum=momentum)
    ours.load_state_dict(theirs.state_dict())
    for _ in range(2):
        values = torch.randn(shape) * 3 + 5
        for got, want in zip(gradients(ours, values), gradients(theirs, values), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(values), theirs.eval()(values))


def test_half_precision_comes_back_as_it_went_in() -> None:
    norm = RankBatchNorm(3)
    assert norm(torch.randn(4, 3, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r'needs \(N, C, ...\), got shape \(3,\)'):
        norm(torch.randn(3))


def test_gradient_in_closed_form() -> None:
    norm = spread(SetBatchNorm(3)).double()
    assert torch.autograd.gradcheck(norm, torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True))


def test_each_set_is_a_batch() -> None:
    norm, theirs = spread(SetBatchNorm(3)), nn.BatchNorm1d(3)
    theirs.load_state_dict(norm.state_dict())
    sets = torch.randn(2, 5, 3) * torch.tensor([1.0, 9.0])[:, None, None]
    torch.testing.assert_close(norm(sets), torch.stack([theirs(rows) for rows in sets]))
    norm.over_ranks = True
    torch.testing.assert_close(norm(sets).flatten(0, 1), theirs(sets.flatten(0, 1)))


def test_running_statistics_of_one_set() -> None:
    norm, theirs = SetBatchNorm(3), nn.BatchNorm1d(3)
    rows = torch.randn(6, 3) + 2
    torch.testing.assert_close(norm(rows), theirs(rows))
    torch.testing.assert_close(norm.state_dict(), theirs.state_dict())
    torch.testing.assert_close(norm.eval()(rows[None])[0], theirs.eval()(rows))


def test_conversion_keeps_parameters_and_leaves_sets_alone() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, eps=1e-3), nn.ModuleDict(dict(critic=SetBatchNorm(3))))
    weight, names = model[1].weight, list(model.state_dict())
    model[1].eval()
    assert not meets_other_ranks(model)
    assert synchronise_batch_norms(model) is model
    assert isinstance(model[1], RankBatchNorm)
    assert model[1].weight is weight
    assert model[1].eps == 1e-3
    assert not model[1].training
    assert list(model.state_dict()) == names
    assert isinstance(model[2]['critic'], SetBatchNorm)
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(model)[2]['critic'], SetBatchNorm)
    assert meets_other_ranks(model)
    assert not meets_other_ranks(model.eval())
