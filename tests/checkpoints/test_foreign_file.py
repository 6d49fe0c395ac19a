"""Foreign checkpoints are read without running what is in them."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bevdistill.checkpoints import read_foreign_checkpoint, weights_below


class Malice:
    """What an attacker would put into a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


class Settings(dict):
    """A dict with a class that the reader does not have, as configs of mmcv are."""


def old_checkpoint(folder: Path) -> dict[str, Any]:
    settings = Settings(a=1)
    settings.hidden = [1, 2]
    meta = dict(
        CLASSES=['car', 'bus'], time=datetime(2022, 1, 1), loss=np.float64(3), lr=np.arange(3.0), settings=settings
    )
    state = OrderedDict(weight=torch.arange(3.0), half=torch.ones(2, dtype=torch.float16), count=torch.tensor(4))
    state['own'] = nn.Parameter(torch.ones(2))
    return dict(meta=meta, state_dict=state, evil=Malice(folder / 'ran'), optimizer=dict(lr=0.1))


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'before torch 1.6'])
def test_objects_are_skipped_and_nothing_is_run(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / 'old.pth'
    checkpoint = old_checkpoint(tmp_path)
    torch.save(checkpoint, file, _use_new_zipfile_serialization=zipped)
    assert not (tmp_path / 'ran').exists()
    read = read_foreign_checkpoint(file)
    assert not (tmp_path / 'ran').exists()
    assert list(read.weights) == ['weight', 'half', 'count', 'own']
    for name, value in checkpoint['state_dict'].items():
        assert torch.equal(read.weights[name], value) and read.weights[name].dtype == value.dtype
    assert read.meta['CLASSES'] == ['car', 'bus'] and read.content['optimizer'] == dict(lr=0.1)
    text = ' '.join(read.left_out)
    assert all(word in text for word in ('datetime.datetime', 'Settings', 'numpy')), text


def test_plain_files_are_read_by_torch_itself(tmp_path: Path) -> None:
    norm = nn.BatchNorm1d(2)
    torch.save(norm.state_dict(), tmp_path / 'bare.pth')
    read = read_foreign_checkpoint(tmp_path / 'bare.pth')
    assert read.left_out == [] and read.meta == {}
    assert list(read.weights) == list(norm.state_dict())
    assert read.weights._metadata['']['version'] == 2


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / 'text.pth').write_text('hello')
    torch.save([torch.ones(1)], tmp_path / 'list.pth')
    torch.save(dict(state_dict=3), tmp_path / 'number.pth')
    torch.save(old_checkpoint(tmp_path), tmp_path / 'cut.pth')
    cut = (tmp_path / 'cut.pth').read_bytes()
    (tmp_path / 'cut.pth').write_bytes(cut[: len(cut) // 2])
    for name, message in (
        ('text', 'is no checkpoint: it is text'),
        ('cut', 'is damaged'),
        ('list', 'holds no weights by name'),
        ('number', 'holds no weights by name'),
    ):
        with pytest.raises(ValueError, match=message):
            read_foreign_checkpoint(tmp_path / f'{name}.pth')
    with pytest.raises(FileNotFoundError, match='there is no checkpoint'):
        read_foreign_checkpoint(tmp_path / 'absent.pth')


def test_weights_below_a_prefix_keep_their_versions() -> None:
    student = nn.Sequential(nn.BatchNorm1d(2))
    both = nn.ModuleDict(dict(student=student, studentship=nn.Linear(1, 1))).state_dict()
    below = weights_below(both, 'student.')
    assert list(below) == list(student.state_dict())
    assert below._metadata == student.state_dict()._metadata
    assert not hasattr(weights_below(dict(both), 'student.'), '_metadata')
