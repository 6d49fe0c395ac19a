"""Export of a student from a distiller's checkpoint."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'model_converters' / 'export_student.py'
META = dict(epoch=2, bevdistill=dict(classes=['car'], teacher=dict(path='teacher.pth', sha256='0' * 64)))


class Result(NamedTuple):
    code: object
    out: str


@pytest.fixture
def run(monkeypatch, capsys):
    """The tool's ``main`` in this process: importing torch once is enough."""
    spec = importlib.util.spec_from_file_location('export_student', TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        try:
            module.main()
        except SystemExit as leave:
            return Result(leave.code, capsys.readouterr().out)
        return Result(0, capsys.readouterr().out)

    return call


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    names = ('student.head.weight', 'student.student.bias', 'losses.dense.adapter.conv.weight')
    state = {name: torch.arange(3.0) for name in names}
    path = tmp_path / 'epoch_2.pth'
    torch.save(dict(meta=META, state_dict=state, optimizer=dict(state=torch.ones(9))), path)
    return path


def test_export(run, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'made' / 'student.pth'
    result = run(checkpoint, out)
    assert result.code == 0
    assert ': weights of the student, 2 tensors; 1 of distillation heads left out' in result.out
    student = torch.load(out, weights_only=True)
    assert set(student) == {'meta', 'state_dict'}
    assert student['meta'] == META
    assert list(student['state_dict']) == ['head.weight', 'student.bias']
    assert torch.equal(student['state_dict']['head.weight'], torch.arange(3.0))
    assert [path.name for path in out.parent.iterdir()] == ['student.pth']


def test_it_says_that_weights_are_averaged(run, checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    last = {f'module.{name}': value + 1 for name, value in content['state_dict'].items()}
    torch.save(content | dict(ema_state_dict=last | dict(steps=torch.tensor(2))), checkpoint)
    result = run(checkpoint, tmp_path / 'student.pth')
    assert ': averaged weights (EMA) of the student, 2 tensors' in result.out
    student = torch.load(tmp_path / 'student.pth', weights_only=True)
    assert set(student) == {'meta', 'state_dict'}
    assert torch.equal(student['state_dict']['head.weight'], torch.arange(3.0))


def test_an_existing_file_is_kept_unless_forced(run, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'student.pth'
    out.write_text('mine')
    result = run(checkpoint, out)
    assert 'student.pth exists; give --force to overwrite it' in str(result.code)
    assert out.read_text() == 'mine'
    assert run(checkpoint, out, '--force').code == 0


def test_what_is_no_distillers_checkpoint(run, tmp_path: Path) -> None:
    plain, weights, text = (tmp_path / name for name in ('plain.pth', 'weights.pth', 'text.pth'))
    torch.save(dict(meta={}, state_dict={'img_backbone.conv1.weight': torch.ones(1)}), plain)
    torch.save({'student.head.weight': torch.ones(1)}, weights)
    text.write_text('hello')
    for path, message in (
        (plain, "not a checkpoint of a distiller: expected weights under 'student.' and 'losses.', found them under"),
        (weights, "has no 'state_dict'"),
        (text, 'is not a checkpoint of plain data'),
        (tmp_path / 'absent.pth', 'there is no checkpoint'),
    ):
        result = run(path, tmp_path / 'out.pth')
        assert str(result.code).startswith('export_student.py: error:')
        assert message in str(result.code)
        assert not (tmp_path / 'out.pth').exists()


def test_help_shows_an_example(run) -> None:
    result = run('--help')
    assert result.code == 0
    assert 'tools/model_converters/export_student.py work_dirs/' in result.out
