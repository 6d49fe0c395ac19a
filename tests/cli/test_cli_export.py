"""Export of a student from a distiller's checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cli_runs import Run

META = dict(epoch=2, bevdistill=dict(classes=['car'], teacher=dict(path='teacher.pth', sha256='0' * 64)))


@pytest.fixture
def export(run: Run) -> Run:
    """``export(*words)``."""
    return lambda *words: run('export', *words)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    names = ('student.head.weight', 'student.student.bias', 'losses.dense.adapter.conv.weight')
    state = {name: torch.arange(3.0) for name in names}
    path = tmp_path / 'epoch_2.pth'
    torch.save(dict(meta=META, state_dict=state, optimizer=dict(state=torch.ones(9))), path)
    return path


def test_export(export: Run, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'made' / 'student.pth'
    result = export(checkpoint, out)
    assert result.code == 0
    assert ': weights of the student, 2 tensors; 1 of distillation heads left out' in result.out
    student = torch.load(out, weights_only=True)
    assert set(student) == {'meta', 'state_dict'}
    assert student['meta'] == META
    assert list(student['state_dict']) == ['head.weight', 'student.bias']
    assert torch.equal(student['state_dict']['head.weight'], torch.arange(3.0))
    assert sorted(path.name for path in out.parent.iterdir()) == ['student.md', 'student.pth']


def test_it_says_that_weights_are_averaged(export: Run, checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    last = {f'module.{name}': value + 1 for name, value in content['state_dict'].items()}
    torch.save(content | dict(ema_state_dict=last | dict(steps=torch.tensor(2))), checkpoint)
    result = export(checkpoint, tmp_path / 'student.pth')
    assert ': averaged weights (EMA) of the student, 2 tensors' in result.out
    student = torch.load(tmp_path / 'student.pth', weights_only=True)
    assert set(student) == {'meta', 'state_dict'}
    assert torch.equal(student['state_dict']['head.weight'], torch.arange(3.0))


def test_an_existing_file_is_kept_unless_forced(export: Run, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / 'student.pth'
    out.write_text('mine')
    result = export(checkpoint, out)
    assert result.code == 1
    assert 'student.pth exists; give --force to overwrite it' in result.err
    assert out.read_text() == 'mine'
    assert export(checkpoint, out, '--force').code == 0


def test_the_checkpoint_stays_and_the_card_has_a_file_of_its_own(
    export: Run, checkpoint: Path, tmp_path: Path
) -> None:
    before = checkpoint.read_bytes()
    for out in ('epoch_2.pth', 'student.md'):
        result = export(checkpoint, tmp_path / out, '--force')
        assert result.code == 1 and 'the card of what is written, must be different files' in result.err
    assert checkpoint.read_bytes() == before and not (tmp_path / 'student.md').exists()
    assert f'{tmp_path} is a folder; name a file in it' in export(checkpoint, tmp_path, '--force').err


def test_what_is_no_distillers_checkpoint(export: Run, tmp_path: Path) -> None:
    plain, weights, text = (tmp_path / name for name in ('plain.pth', 'weights.pth', 'text.pth'))
    torch.save(dict(meta={}, state_dict={'img_backbone.conv1.weight': torch.ones(1)}), plain)
    torch.save({'student.head.weight': torch.ones(1)}, weights)
    text.write_text('hello')
    for path, message in (
        (plain, "not a checkpoint of a distiller: expected weights under 'student.' and 'losses.', found them under"),
        (weights, "has no 'state_dict'"),
        (text, 'text.pth is no checkpoint: it is text'),
        (tmp_path / 'absent.pth', 'there is no checkpoint'),
    ):
        result = export(path, tmp_path / 'out.pth')
        assert result.code == 1
        assert 'bevdistill export: error:' in result.err
        assert message in result.err
        assert not (tmp_path / 'out.pth').exists()


def test_help_shows_an_example(export: Run) -> None:
    result = export('--help')
    assert result.code == 0
    assert 'bevdistill export work_dirs/' in result.out
