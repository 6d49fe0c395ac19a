"""Damaged checkpoints and weights that are no numbers are told."""

from __future__ import annotations

import random
from pathlib import Path
from unittest import mock

import pytest
import torch

from bevdistill.checkpoints.damage import (
    DamagedCheckpointError,
    check_content,
    check_finite_weights,
    check_whole,
    damage_of,
    not_finite_names,
    read_whole,
)
from bevdistill.checkpoints.foreign_file import read_foreign_checkpoint
from bevdistill.checkpoints.inert_loader import load_local
from bevdistill.checkpoints.student_export import read_checkpoint


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save(dict(state_dict=dict(weight=torch.arange(3000.0)), meta=dict(epoch=3)), tmp_path / 'a.pth')
    return tmp_path / 'a.pth'


def test_no_flipped_bit_changes_what_is_loaded(file: Path) -> None:
    good, draw = file.read_bytes(), random.Random(0)
    told = 0
    # The end holds the table of contents, which has no checksum.
    places = [draw.randrange(first, len(good)) for first in (0, len(good) - 700) for _ in range(60)]
    for place in places:
        flipped = bytearray(good)
        flipped[place] ^= 1 << draw.randrange(8)
        file.write_bytes(flipped)
        if damage_of(file) is None:
            assert torch.equal(torch.load(file)['state_dict']['weight'], torch.arange(3000.0)), place
        else:
            told += 1
    assert told > 60


@pytest.mark.parametrize(
    ('content', 'what'),
    [
        (b'', 'damaged: it is empty.*--resume'),
        (bytes(5000), 'damaged: of its 5000 bytes some are missing or changed.*--resume'),
        (b'<html>not found</html>', 'no checkpoint: it is a web page, saved in place of the file'),
        (b'version https://git-lfs.github.com/spec/v1', 'no checkpoint: it is a pointer of large-file storage'),
        (b'model = dict()', 'no checkpoint: it is text; name a file of weights'),
        ('half', r'damaged: of its \d+ bytes some are missing.*--resume'),
        ('zeros', r"damaged: its entry 'a/data/0' does not have the checksum.*--resume"),
    ],
)
@pytest.mark.parametrize('read', [load_local, read_foreign_checkpoint, read_checkpoint])
def test_damage_is_named_by_all_that_read(file: Path, content: bytes | str, what: str, read) -> None:
    good = file.read_bytes()
    middle = len(good) // 2
    made = dict(half=good[:middle], zeros=good[:middle] + bytes(64) + good[middle + 64 :])
    file.write_bytes(made[content] if isinstance(content, str) else content)
    with pytest.raises(DamagedCheckpointError, match=rf'^(checkpoint )?/.*a\.pth is {what}') as caught:
        read(file)
    assert '\n' not in str(caught.value)


def test_whole_files(file: Path) -> None:
    assert damage_of(file) is None
    torch.save(dict(odd=Path('x')), file)
    check_whole(file)  # Objects are refused elsewhere, with another advice.
    torch.save(dict(a=torch.ones(2)), file, _use_new_zipfile_serialization=False)
    check_whole(file)


@pytest.mark.parametrize('read', [read_whole, read_foreign_checkpoint, read_checkpoint])
@pytest.mark.parametrize('as_zip', [True, False])
def test_a_file_is_loaded_once(file: Path, monkeypatch: pytest.MonkeyPatch, read, as_zip: bool) -> None:
    content = dict(state_dict=dict(weight=torch.arange(3000.0)))
    torch.save(content, file, _use_new_zipfile_serialization=as_zip)
    load = mock.Mock(wraps=torch.load)
    monkeypatch.setattr(torch, 'load', load)
    found = read(file)
    weights = getattr(found, 'weights', None) or found['state_dict']
    assert torch.equal(weights['weight'], torch.arange(3000.0))
    assert load.call_count == 1


def test_weights_that_are_no_numbers() -> None:
    inf, nan = torch.tensor([1.0, torch.inf]), torch.tensor([torch.nan])
    tensors = dict(a=inf, limit=inf, mean=nan, count=torch.tensor(3), empty=torch.ones(0), text='x', half=nan.half())
    assert not_finite_names(tensors, {'a'}) == ['a', 'mean', 'half']
    assert not_finite_names({}) == []
    with pytest.raises(ValueError, match=r'^mine has weights that are NaN or infinite: mean, half\. Use'):
        check_finite_weights(tensors, (), 'mine')
    check_finite_weights(dict(limit=inf), (), 'mine')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1], 'expected weights by name, found a list'), (torch.zeros(1), 'found a Tensor'),
        (dict(meta='x'), 'meta: expected entries by name, found a str'),
        (dict(meta=dict(bevdistill=3)), r'meta\.bevdistill: expected entries by name, found a int'),
        (dict(state_dict=[1]), 'state_dict: expected entries by name'), (dict(state_dict={1: 2}), 'state_dict: '),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_told(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf'^checkpoint x\.pth: .*{message}'):
        check_content(content, 'x.pth')
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        load_local(str(tmp_path / 'a.pth'))


def test_an_export_takes_tensors_alone(tmp_path: Path) -> None:
    torch.save(dict(state_dict=dict(weight='x')), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r"a\.pth: weight: expected a tensor, found 'x'"):
        read_checkpoint(tmp_path / 'a.pth')
