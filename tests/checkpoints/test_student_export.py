"""The student of a distiller's checkpoint: its names, meta data and versions, and what is no distiller's."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from bevdistill.checkpoints.student_export import export_student, read_checkpoint

ONE = torch.ones(1)


def test_names_lose_their_prefix_alone() -> None:
    weights = {'student.a.weight': ONE, 'student.student.b': ONE * 2, 'losses.dense.adapter.weight': ONE * 3}
    content = dict(meta=dict(epoch=3), state_dict=weights, optimizer='left behind')
    found = export_student(content, 'a.pth')
    assert list(found) == ['meta', 'state_dict'] and found['meta'] == dict(epoch=3)
    assert list(found['state_dict']) == ['a.weight', 'student.b']
    assert found['state_dict']['student.b'] is weights['student.student.b']
    assert export_student(dict(state_dict={'student.a': ONE}), 'a.pth')['meta'] == {}
    assert set(weights) == {'student.a.weight', 'student.student.b', 'losses.dense.adapter.weight'}


def test_versions_of_modules_come_along() -> None:
    weights: OrderedDict[str, Any] = OrderedDict({'student.a.weight': ONE})
    weights._metadata = OrderedDict({'': 1, 'student': 2, 'student.a': 3, 'losses': 4, 'students': 5})  # type: ignore[attr-defined]
    found = export_student(dict(state_dict=weights), 'a.pth')['state_dict']
    assert dict(found._metadata) == {'': 2, 'a': 3}


@pytest.mark.parametrize(('names', 'found'), [
    (['backbone.a', 'head.b', 'backbone.c'], "['backbone', 'head']"),
    (['student.a', 'teacher.b'], "['student', 'teacher']"),
    (['losses.a'], "['losses']"), ([], '[]'), (['students.a'], "['students']"),
])  # fmt: skip
def test_other_checkpoints_are_named(names: list[str], found: str) -> None:
    with pytest.raises(ValueError) as error:
        export_student(dict(state_dict=dict.fromkeys(names, ONE)), 'a.pth')
    assert str(error.value) == (
        "a.pth is not a checkpoint of a distiller: expected weights under 'student.' and 'losses.', found them under "
        f'{found}. A plain detector needs no export'
    )


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / 'a.pth')
    return folder / 'a.pth'


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = read_checkpoint(saved(tmp_path, dict(meta=dict(epoch=1), state_dict=dict(a=ONE))))
    assert content['meta'] == dict(epoch=1) and torch.equal(content['state_dict']['a'], ONE)


@pytest.mark.parametrize(('content', 'message'), [
    ([1], "has no 'state_dict': it is not a checkpoint of a training run"),
    (dict(model=dict(a=ONE)), "has no 'state_dict'"),
    (dict(state_dict=[ONE]), "has no 'state_dict'"),
    (dict(state_dict=dict(a=ONE, b='text')), "b: expected a tensor, found 'text'"),
    (dict(state_dict=dict(a=ONE, b=ONE * float('nan'))), 'b'),
])  # fmt: skip
def test_what_is_no_checkpoint_is_said(content: Any, message: str, tmp_path: Path) -> None:
    file = saved(tmp_path, content)
    with pytest.raises(ValueError) as error:
        read_checkpoint(file)
    assert str(file) in str(error.value) and message in str(error.value)


def test_files_that_are_not_there_or_not_of_torch(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'there is no checkpoint .*a\.pth'):
        read_checkpoint(tmp_path / 'a.pth')
    (tmp_path / 'a.pth').write_text('weights')
    with pytest.raises(ValueError, match=r'a\.pth'):
        read_checkpoint(tmp_path / 'a.pth')
