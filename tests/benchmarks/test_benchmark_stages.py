"""Stages of a student run again by themselves: what is moved, recorded and measured, by hand."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks import stages
from benchmarks.clock import Clock
from benchmarks.stages import BytesMoved, RecordedCalls, backward, bytes_of, inputs_kept, stage_row, tensors_of


def test_bytes_moved_by_hand() -> None:
    left, right = torch.ones(2, 3), torch.ones(3, 4)
    with BytesMoved() as moved:
        product = left @ right
    assert moved.total == 4 * (2 * 3 + 3 * 4 + 2 * 4)
    with BytesMoved() as moved:
        product.t().reshape(2, 4)[:1].expand(5, 4)
    assert moved.total == 4 * 2 * 8  # reshaping the transposed matrix copies it, the rest are views
    with BytesMoved() as moved:
        product.add_(torch.ones(1).expand(2, 4))
    assert moved.total == 4 + 4 * (8 + 1 + 8)  # ones(1) is written, then read as the one number that it holds


def test_a_stage_is_its_calls_again() -> None:
    first, second = nn.Linear(6, 5), nn.Linear(5, 4)
    stage = RecordedCalls([second])
    with inputs_kept(dict(stage=stage)):
        second(first(torch.randn(3, 6)))
        with torch.no_grad():
            second(torch.randn(3, 5))
    (_, ((given,), _)), = stage.calls
    assert given.shape == (3, 5)
    assert given.requires_grad
    assert given.grad_fn is None
    settings: Any = type('Settings', (), dict(clock=Clock('cpu'), device='cpu'))
    row = stage_row(settings, stage, 2, dict(flops=1e9, bytes=1e9))
    # Forward, gradient of the input, gradient of the weight: a product of 3 x 5 x 4 each, two operations a term.
    assert row['flops'] == 3 * 2 * 3 * 5 * 4
    assert given.grad is not None
    assert second.weight.grad is not None
    assert first.weight.grad is None


@dataclass
class Holder:
    """A dataclass with a tensor."""

    tensor: Tensor
    number: int = 3


def test_tensors_of_nested_containers() -> None:
    a, b, c, d = torch.zeros(4).unbind()
    found = tensors_of([a, (dict(x=b, y=None), Holder(c)), 'text', 5, {d}, Holder])
    places = [tensor.data_ptr() for tensor in found]
    assert places == [tensor.data_ptr() for tensor in (a, b, c)], 'sets are not looked into'
    assert tensors_of(None) == []


def test_bytes_of_repeated_and_of_small_tensors() -> None:
    numbers = torch.zeros(2, 3, dtype=torch.float64)
    assert bytes_of(numbers) == 48 and bytes_of(numbers[:1]) == 24
    assert bytes_of(numbers[:, :1].expand(2, 100)) == 48 and bytes_of(numbers[:0]) == 0


def test_hooks_end_with_the_context() -> None:
    layer = nn.Linear(2, 2)
    stage = RecordedCalls([layer])
    with inputs_kept(dict(a=stage)):
        layer(torch.zeros(1, 2))
    layer(torch.zeros(1, 2))
    assert len(stage.calls) == 1 and not layer._forward_pre_hooks


def test_a_backward_pass_begins_with_empty_gradients() -> None:
    """Of inputs by name and in containers too; a frozen parameter has none."""
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))
            self.frozen = nn.Parameter(torch.tensor(3.0), requires_grad=False)

        def forward(self, pair: Any, *, more: Tensor) -> list[Tensor]:
            return [self.scale * pair[0] + more, more.detach()]

    module, given, more = Sum(), torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    stage = RecordedCalls([module])
    with inputs_kept(dict(a=stage)):
        module((given, 5), more=more)
    assert [leaf.shape for leaf in stage.leaves()] == [(2,), (2,), ()]
    for _ in range(2):
        outputs = stage.forward()
        assert len(outputs) == 1, 'without a gradient there is nothing to do'
        backward(stage, outputs)()
        assert [leaf.grad.tolist() for leaf in stage.leaves()] == [[2, 2], [1, 1], 2]
    assert given.grad is None and more.grad is None, 'they are cut off from what was before'


def test_a_row_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward 1, 3 and 2 s, backward 5, 5 and 7 s: the median of the sums is 8."""
    layer = nn.Linear(10, 10, bias=False)
    stage = RecordedCalls([layer], [(layer, ((torch.ones(5, 10),), {}))])
    spent = iter((1.0, 5.0, 3.0, 5.0, 2.0, 7.0))

    def seconds(run: Any) -> float:
        run()
        return next(spent)

    settings: Any = SimpleNamespace(clock=SimpleNamespace(seconds=seconds))
    row = stage_row(settings, stage, 3, dict(flops=1000.0, bytes=50.0))
    assert (row['median'], row['forward_seconds'], row['backward_seconds'], row['repeats']) == (8, 2, 5, 3)
    assert row['flops'] == 2 * 2 * 5 * 10 * 10, 'the product, and the one that is the gradient of the weight'
    assert row['share_of_product'] == pytest.approx(2000 / 8 / 1000)
    assert row['share_of_copy'] == pytest.approx(row['bytes'] / 8 / 50) and row['bytes'] >= 4 * (50 + 100 + 50)


def test_peaks_are_the_best_of_several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 * 256^3 operations in 0.5 s; a copy of 2^20 numbers reads and writes 4 bytes each, in 0.25 s."""
    asked: list[int] = []

    class Turns(Clock):
        def alternate(self, sides: Any, repeats: int, tick: Any, warm_ups: int = 1) -> dict[str, list[float]]:
            asked.append(repeats)
            for run in sides.values():
                run()
            return dict(product=[1.0, 0.5, 2.0], copy=[0.25, 0.5, 0.5])

    settings: Any = SimpleNamespace(quick=True, device='cpu', repeats=1, clock=Turns('cpu'))
    assert stages.machine_peaks(settings) == dict(flops=2 * 256**3 / 0.5, bytes=2 * 2**20 * 4 / 0.25)
    assert asked == [3]
