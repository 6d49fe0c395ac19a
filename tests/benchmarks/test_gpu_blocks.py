"""What the blocks of the GPU check compute and say, on a CPU and by hand: no block is run whole."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from benchmarks.gpu import numbers, runs, speed, steps
from benchmarks.gpu.block import Check


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check('block', tmp_path, 'cpu')


def told(check: Check) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((check.out / f'{check.name}.json').read_text())
    return found


class Device:
    """An operator that is as it should be on the first device that asks, and wrong on the second."""

    def __init__(self, factor: float = 1.0, gradient: float = 1.0) -> None:
        self.wrong, self.calls = (factor, gradient), 0

    def __call__(self, given: Tensor, other: Tensor) -> Tensor:
        self.calls += 1
        factor, gradient = self.wrong if self.calls == 2 else (1.0, 1.0)
        value = given.detach() * factor * 2 + other
        return value + (given - given.detach()) * 2 * gradient


@pytest.mark.parametrize(('run', 'expected'), [
    (Device(), 0.0), (Device(factor=1.5), 4 / 9), (Device(gradient=1.25), 0.25), (Device(factor=1.5, gradient=3), 2.0),
])  # fmt: skip
def test_differences_of_values_and_gradients(run: Device, expected: float) -> None:
    """Values 2 * (1, 4) + 1, of which the largest is 9; the largest error of value and gradient counts."""
    tensors = [torch.tensor([1.0, 4.0], requires_grad=True), torch.tensor([1.0, 1.0])]
    assert numbers.difference(run, tensors, 'cpu') == pytest.approx(expected)
    assert tensors[0].grad is None


def test_an_operator_without_gradient_and_one_of_zeros() -> None:
    assert numbers.difference(lambda given: given * 0, [torch.ones(3)], 'cpu') == 0
    turn = iter((0.0, 1.0))
    assert numbers.difference(lambda given: given * next(turn), [torch.ones(3)], 'cpu') == pytest.approx(1e12)


def test_a_broken_operator_does_not_hide_the_others(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(given: Tensor) -> Tensor:
        raise RuntimeError('no kernel')

    cases = dict(good=(lambda given: given, [torch.ones(2)]), broken=(broken, [torch.ones(2)]),
                 last=(Device(factor=1.00001), [torch.ones(2, requires_grad=True), torch.ones(2)]))  # fmt: skip
    monkeypatch.setattr(numbers, 'cases', lambda: cases)
    assert not numbers.operators(check)
    assert told(check)['broken error'] == 'RuntimeError: no kernel'
    assert told(check)['summary'] == '3 operators, largest relative error inf (broken)'
    del cases['broken']
    cases['last'][0].calls = 0
    assert numbers.operators(check), 'within the tolerance'
    cases['last'] = (Device(factor=1.001), cases['last'][1])
    assert not numbers.operators(check)


def test_versions_of_what_is_there_and_what_is_not(check: Check) -> None:
    assert numbers.version('torch') and numbers.version('no-such-package-here') is None
    assert numbers.versions(check)
    found = told(check)
    assert found['packages'].keys() == set(numbers.PACKAGES) and found['packages']['torch'] in found['summary']
    assert 'no GPU asked for' in found['summary'] and found['cores'] >= 1


def test_steps_are_compared_by_their_largest_relative_difference() -> None:
    """Losses below a thousandth are compared with that."""
    first = dict(loss=2.0, small=1e-6, gradient=10.0)
    assert steps.apart(first, first) == 0
    assert steps.apart(first, first | dict(loss=2.5)) == pytest.approx(0.25)
    assert steps.apart(first, first | dict(loss=1.0, gradient=9.0)) == pytest.approx(0.5)
    assert steps.apart(first, first | dict(small=2e-6)) == pytest.approx(1e-3)


def test_dropout_is_switched_off_in_attention_too() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.MultiheadAttention(4, 2, dropout=0.5), nn.Dropout2d(0.25))
    assert steps.without_chance(model) is model
    assert (model[0].p, model[1].dropout) == (0, 0)


class Line(nn.Module):
    """Loss w x of a detector in mmengine's form, in the precision of autocast."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.layer.weight, 3.0)
        self.unused = nn.Parameter(torch.ones(1))
        self.dtypes: list[torch.dtype] = []

    def data_preprocessor(self, batch: dict[str, Any], training: bool) -> dict[str, Any]:
        batch['x'] = batch['x'] * 2
        return batch

    def forward(self, x: Tensor, mode: str) -> Tensor:
        product = self.layer(x)
        self.dtypes.append(product.dtype)
        return product.sum()

    def parse_losses(self, loss: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return loss, dict(loss=loss)


@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
def test_a_step_gives_losses_and_the_norm_of_the_gradient(dtype: torch.dtype | None) -> None:
    """x = 4 after the preprocessor: loss 12, gradient 4, unscaled; the batch stays, no old gradient counts."""
    model, batch = Line(), dict(x=torch.full((1, 1), 2.0))
    for _ in range(2):
        assert steps.step(model, batch, dtype) == dict(loss=12.0, gradient=4.0)
    assert batch['x'].item() == 2 and model.dtypes == [dtype or torch.float32] * 2


def test_small_configs_are_those_that_differ_in_more_than_data() -> None:
    files = list(steps.configs())
    names = [file.relative_to(steps.REPO).as_posix() for file in files]
    assert len(files) > 10 and files == sorted(files)
    assert all('/synthetic/' in name for name in names)
    assert not any('few-labels' in name or '/ablations/' in name or '/_base_/' in name for name in names)
    assert set(steps.KINDS.values()) <= set(names)
    assert any(name.startswith('projects/') for name in names)


def test_waits_need_a_gpu(check: Check) -> None:
    assert steps.waits(check) and told(check)['skipped'] is True


def test_every_data_set_gets_the_small_data(tmp_path: Path) -> None:
    """Information files keep their names; what is nested in wrappers and lists is found."""
    node = ConfigDict(
        dataset=dict(type='Wrapper', dataset=dict(data_root='data/nuscenes/', ann_file='there/infos_val.gz')),
        others=[dict(data_root='x'), (dict(ann_file='infos_train.gz'),)], keep=3,
    )  # fmt: skip
    runs.point_at(node, tmp_path)
    assert node.dataset.dataset == dict(data_root=f'{tmp_path}/', ann_file=f'{tmp_path}/infos_val.gz')
    assert node.others[0].data_root == f'{tmp_path}/' and node.others[1][0].ann_file == f'{tmp_path}/infos_train.gz'
    assert node.keep == 3 and node.dataset.type == 'Wrapper'


@pytest.mark.parametrize(('code', 'out', 'err', 'said'), [
    (0, 'fine', 'a warning', ''), (3, 'out', 'first\nlast line\n', 'last line'), (3, 'only out\n', '', 'only out'),
    (3, '', '', 'exit status 3'),
])  # fmt: skip
def test_a_tool_that_fails_says_its_last_line(
    code: int, out: str, err: str, said: str, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def run(words: list[str], env: dict[str, str], **options: Any) -> Any:
        calls.append((words, env))
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    monkeypatch.setattr(runs.subprocess, 'run', run)
    assert runs.call(check, 'first', 'tools/train.py', Path('a.py'), 3) == said
    assert (check.out / 'block_first.log').read_text() == out + err
    runs.call(check, 'second', 'x', cpu=True)
    assert calls[0][0][1:] == ['tools/train.py', 'a.py', '3'] and calls[1][1]['CUDA_VISIBLE_DEVICES'] == ''
    assert calls[0][1].get('CUDA_VISIBLE_DEVICES') != '' and calls[0][1]['MPLBACKEND'] == 'Agg'


def test_a_report_names_what_failed(check: Check) -> None:
    assert runs.report(check, dict(a='', b=''), ', both', rows=1)
    assert told(check) == dict(faults=dict(a='', b=''), rows=1, summary='a, b ran, both')
    assert not runs.report(check, dict(a='why', b='', c='how'))
    assert told(check)['summary'] == 'b ran; failed: a: why; c: how'
    assert not runs.report(check, dict(a='why'))
    assert told(check)['summary'] == 'nothing ran; failed: a: why'


def test_a_measurement_is_the_least_of_some_or_why_there_is_none(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = iter((3.0, 1.0, 2.0))
    monkeypatch.setattr(speed, 'Clock', lambda device: SimpleNamespace(seconds=lambda run: next(spent)))
    monkeypatch.setattr(speed, 'peak_bytes', lambda run, device: 2**29)
    assert speed.measured(lambda: None, check) == dict(seconds=1.0, gib=0.5)

    def broken() -> None:
        raise RuntimeError('out of memory\nand more')

    assert speed.measured(broken, check) == dict(error='RuntimeError: out of memory')


def test_precision_is_given_back() -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    for name, allowed in (('tf32', True), ('float32', False), ('bfloat16', False)):
        with speed.precision(name):
            assert matmul.allow_tf32 == cudnn.allow_tf32 == allowed
        assert (matmul.allow_tf32, cudnn.allow_tf32) == before
    with pytest.raises(ZeroDivisionError), speed.precision('tf32'):
        raise ZeroDivisionError
    assert (matmul.allow_tf32, cudnn.allow_tf32) == before


def test_a_row_of_speeds_in_words() -> None:
    row: dict[str, Any] = dict(float32=dict(seconds=0.5, gib=1.26), tf32=dict(error='x'))
    assert speed.shown(row) == 'float32 2.00/s 1.3 GiB, tf32 failed'
    assert speed.shown(row | dict(error='RuntimeError: no spconv')).endswith('tf32 failed, RuntimeError: no spconv')
    assert speed.shown(dict(error='RuntimeError: no spconv')) == 'RuntimeError: no spconv'
