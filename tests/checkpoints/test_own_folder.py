"""Folders that hold things of others are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bevdistill.checkpoints.own_folder import require_no_strangers, strangers
from bevdistill.checkpoints.whole_file import PART

OWN = ('*.bin', 'manifest.json')


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_what_is_ones_own(tmp_path: Path) -> None:
    """By patterns that know capitals; what a killed writer left aside is ours too; a folder may be a stranger."""
    own, others = ('b.bin', 'manifest.json', f'.b.bin.x{PART}'), ('B.BIN', 'manifest.json.old', 'notes.txt')
    folder = fill(tmp_path / 'a', *own, *others)
    (folder / 'sub').mkdir()
    assert strangers(folder, OWN) == [*others, 'sub']
    assert strangers(folder, ('*',)) == []
    assert strangers(tmp_path / 'nowhere', OWN) == []


def test_new_empty_and_own_folders_are_free(tmp_path: Path) -> None:
    for folder in (tmp_path / 'nowhere', fill(tmp_path / 'empty'), fill(tmp_path / 'own', 'a.bin', 'manifest.json')):
        require_no_strangers(folder, OWN, 'a cache')


@pytest.mark.parametrize(('names', 'shown'), [
    (['x'], 'x'), (['z', 'x', 'y', 'a.bin'], 'x, y, z'), (['4', '3', '2', '1', '5'], '1, 2, 3 and 2 more'),
])  # fmt: skip
def test_others_are_named(names: list[str], shown: str, tmp_path: Path) -> None:
    folder = fill(tmp_path / 'a', *names)
    with pytest.raises(FileExistsError) as error:
        require_no_strangers(folder, OWN, 'a cache')
    advice = 'name a new or empty folder with --out'
    assert str(error.value) == f'{folder} holds {shown}, which a cache did not write; {advice}'


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / 'a').touch()
    with pytest.raises(NotADirectoryError, match=r'a is a file; name a folder with --out$'):
        require_no_strangers(tmp_path / 'a', OWN, 'a cache')
