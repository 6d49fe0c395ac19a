"""What the benchmark compares, with clocks and sides that are made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import ratios
from benchmarks.clock import Spread
from bevdistill.layers.sampling import backend_of


def test_a_target_is_met_up_to_its_number() -> None:
    assert ratios.entry('x', 0.5, 0.5)['met']
    assert not ratios.entry('x', Spread(0.51, 0.1, 0.9, 3), 0.5)['met']


def test_a_run_by_hand() -> None:
    """Four samples in 2 s are two a second; the median counts."""
    row = ratios.timed('step', [3.0, 1.0, 2.0], 4, 8)
    assert row == dict(what='step', median=2.0, low=1.5, high=2.5, repeats=3, samples_per_second=2.0, peak_bytes=8)
    assert ratios.timed('step', [0.5], 1)['peak_bytes'] is None


def test_numbers_that_are_counted_have_no_spread() -> None:
    assert ratios.entry('memory', 0.25, 0.6) == dict(
        what='memory', median=0.25, low=0.25, high=0.25, repeats=1, target=0.6, met=True
    )


def test_gradients_begin_empty_in_each_run() -> None:
    encoder, leaf = nn.Linear(3, 2), torch.ones(1, 3, requires_grad=True)
    run = ratios.encode_and_back(encoder, SimpleNamespace(leaves=[leaf], arguments=(leaf,)))
    for _ in range(2):
        run()
        assert torch.equal(leaf.grad, encoder.weight.sum(dim=0)[None]), 'not twice'
        assert torch.equal(encoder.bias.grad, torch.ones(2))


def test_another_backend_samples_inside_alone() -> None:
    seen: list[str] = []
    ratios.sampled_by('reference', lambda: seen.append(backend_of(torch.zeros(1))))()
    assert seen == ['reference'] and backend_of(torch.zeros(1)) == 'host'


@pytest.mark.parametrize(('device', 'built', 'names'), [
    ('cpu', True, []), ('cuda', True, ['mmcv']), ('cuda', False, []),
])  # fmt: skip
def test_backends_beside_the_default(
    device: str, built: bool, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratios, 'mmcv_has_cuda', lambda: built)
    assert ratios.other_backends(device) == names


class Given:
    """Settings whose clock says what each side takes."""

    device, quick = 'cpu', True

    def __init__(self, **times: list[float]) -> None:
        self.times, self.asked = times, {}

    def alternate(self, sides: dict[str, Any], **options: int) -> dict[str, list[float]]:
        self.asked = options
        assert set(sides) == set(self.times)
        return self.times


def test_encoders_are_compared_in_time_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours in a third of the time and a half of the memory; mmcv's as fast and with four times the memory."""
    times = {'ours': [1.0, 2.0], 'reference': [3.0, 6.0], 'sampled by mmcv': [1.0, 2.0]}
    work = SimpleNamespace(encoder=nn.Linear(1, 1), leaves=[], arguments=())
    peaks = iter((100, 200, 400))
    monkeypatch.setattr(ratios, 'encoder_workload', lambda **sizes: work)
    monkeypatch.setattr(ratios, 'ReferenceEncoder', SimpleNamespace(from_module=lambda module: module))
    monkeypatch.setattr(ratios, 'other_backends', lambda device: ['mmcv'])
    monkeypatch.setattr(ratios, 'peak_bytes', lambda run, device: next(peaks))
    found = ratios.compare_encoders(Given(**times), history=True)
    medians = {name: (row['median'], row['target'], row['met']) for name, row in found['ratios'].items()}
    assert medians == dict(
        encoder_time_history=(pytest.approx(1 / 3), 0.5, True), encoder_memory_history=(0.5, 0.6, True),
        mmcv_time_history=(1.0, 1 / 1.5, False), mmcv_memory_history=(0.25, 0.25, True),
    )  # fmt: skip
    assert {name: (row['median'], row['peak_bytes']) for name, row in found['times'].items()} == dict(
        encoder_history=(1.5, 100), encoder_reference_history=(4.5, 200), encoder_mmcv_history=(1.5, 400)
    )
    assert found['times']['encoder_reference_history']['samples_per_second'] == pytest.approx(1 / 4.5)


def test_distilled_steps_are_compared_with_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """1.3 s for a student's step of 1 s and a teacher of 0.25 s; with a cache 1.2 s, beyond its target of 1.1."""
    names = ('student_forward', 'student_step', 'teacher_forward', 'distilled_step', 'distilled_step_cached')
    given = Given(**dict(zip(names, ([0.4], [1.0], [0.25], [1.3], [1.2]), strict=True)))
    sides = {name: (f'the {name}', lambda: None) for name in names}
    monkeypatch.setattr(ratios, 'step_sides', lambda settings: (sides, 4))
    monkeypatch.setattr(ratios, 'peak_bytes', lambda run, device: 7)
    found = ratios.measure_steps(given)
    assert given.asked == dict(extra=2, warm_ups=2)
    live, cached = found['ratios']['distilled_live'], found['ratios']['distilled_cached']
    assert (live['median'], live['target'], live['met']) == (pytest.approx(1.04), 1.05, True)
    assert (cached['median'], cached['target'], cached['met']) == (pytest.approx(1.2), 1.1, False)
    assert found['times']['student_step'] == ratios.timed('the student_step', [1.0], 4, 7)
    assert list(found['times']) == list(names)


def test_both_parts_of_the_encoder_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bool] = []

    def compare(settings: Any, history: bool) -> dict[str, Any]:
        compared.append(history)
        return dict(ratios={f'r{history}': 1}, times={f't{history}': 2})

    monkeypatch.setattr(ratios, 'compare_encoders', compare)
    assert ratios.measure_encoder(Given()) == dict(ratios=dict(rFalse=1, rTrue=1), times=dict(tFalse=2, tTrue=2))
