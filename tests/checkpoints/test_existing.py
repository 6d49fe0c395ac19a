"""Checkpoints that are not there are told before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from bevdistill.checkpoints.existing import existing_checkpoint


def test_missing_checkpoint_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / 'epoch_2.pth').touch()
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*epoch_3\.pth; .*: epoch_2\.pth'):
        existing_checkpoint(str(tmp_path / 'epoch_3.pth'))
    with pytest.raises(FileNotFoundError, match=r'the folder .*nowhere does not exist'):
        existing_checkpoint(str(tmp_path / 'nowhere/epoch_3.pth'))
    with pytest.raises(FileNotFoundError, match=r' is a folder; expected .* are: epoch_2\.pth$'):
        existing_checkpoint(str(tmp_path))


def test_existing_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'a.pth').touch()
    monkeypatch.chdir(tmp_path)
    assert existing_checkpoint('a.pth') == str(tmp_path / 'a.pth')
    assert existing_checkpoint('https://host/a.pth') == 'https://host/a.pth'
    assert existing_checkpoint('torchvision://resnet50') == 'torchvision://resnet50'


@pytest.mark.parametrize('address', ['open-mmlab://resnet50', 's3://bucket/a.pth', 'petrel:s3://bucket/a', 'http://a/b'])
def test_addresses_are_left_to_the_loader(address: str) -> None:
    assert existing_checkpoint(address) == address


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'a.pth').touch()
    assert existing_checkpoint('~/a.pth') == str(tmp_path / 'a.pth')


def test_messages_in_full(tmp_path: Path) -> None:
    """Neighbours in order, and none where there are none; other files are no neighbours."""
    (tmp_path / 'config.py').touch()
    with pytest.raises(FileNotFoundError) as error:
        existing_checkpoint(str(tmp_path / 'a.pth'))
    assert str(error.value) == f'no checkpoint {tmp_path}/a.pth; checkpoints in that folder: none'
    with pytest.raises(FileNotFoundError) as error:
        existing_checkpoint(str(tmp_path))
    assert str(error.value) == f'{tmp_path} is a folder; expected a checkpoint, in the folder are: none'
    for name in ('epoch_2.pth', 'epoch_1.pth'):
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match=r'folder: epoch_1\.pth, epoch_2\.pth$'):
        existing_checkpoint(str(tmp_path / 'a.pth'))
