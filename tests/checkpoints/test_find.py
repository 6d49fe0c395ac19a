"""Finding the checkpoint that is meant."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch

from bevdistill.checkpoints import find
from bevdistill.checkpoints.damage import DamagedCheckpointError
from bevdistill.checkpoints.find import latest_checkpoint, unreadable_checkpoints_explained


def put(folder: Path, *names: str) -> None:
    """Checkpoints, the first the newest."""
    for age, name in enumerate(names):
        torch.save(dict(state_dict=dict(weight=torch.ones(100))), folder / name)
        os.utime(folder / name, (1000 - age, 1000 - age))


def test_latest_checkpoint(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / 'nowhere') is None
    assert latest_checkpoint(tmp_path) is None
    put(tmp_path, 'best_epoch_3.pth', 'epoch_10.pth', 'epoch_9.pth')
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_10.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_9.pth'))
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_9.pth')
    os.utime(tmp_path / 'last_checkpoint', (998.5, 998.5))
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'epoch_10.pth'), 'the run died before it wrote the note'


@pytest.mark.parametrize('pointer', ['', '\0' * 40, '/moved/away/epoch_9.pth', '/moved/away/epoch_11.pth'])
def test_stale_pointer(tmp_path: Path, pointer: str) -> None:
    put(tmp_path, 'epoch_10.pth', 'epoch_9.pth')
    (tmp_path / 'last_checkpoint').write_text(pointer)
    wanted = 'epoch_9.pth' if 'epoch_9' in pointer else 'epoch_10.pth'
    assert latest_checkpoint(tmp_path) == str(tmp_path / wanted)


def test_newest_whole_checkpoint_is_taken_and_the_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(find, 'print_log', lambda message, *_: lines.append(message))
    put(tmp_path, 'iter_30.pth', 'iter_20.pth', 'iter_10.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_30.pth'))
    (tmp_path / 'iter_30.pth').write_bytes(b'')
    (tmp_path / 'iter_20.pth').write_bytes(bytes(1500))
    assert latest_checkpoint(tmp_path) == str(tmp_path / 'iter_10.pth')
    (said,) = lines
    assert re.search(r'iter_30\.pth is damaged: it is empty; .*iter_20\.pth is damaged.*place: .*iter_10\.pth', said)
    cut = tmp_path / 'iter_10.pth'
    cut.write_bytes(cut.read_bytes()[:-200])
    with pytest.raises(DamagedCheckpointError, match=r'no checkpoint in .* is whole: .*iter_10.*remove them to begin'):
        latest_checkpoint(tmp_path)


def test_checkpoint_with_objects_is_explained(tmp_path: Path) -> None:
    file = tmp_path / 'odd.pth'
    for names, message in (
        (['head.weight'], r'odd\.pth holds .*could run code, so it was refused: it holds pathlib\.'),
        (
            ['img_backbone.x', 'pts_bbox_head.bev_embedding.weight'],
            r'(?s)so it was refused: it does not say.*convert_official\.py \S*odd\.pth \S* --kind bevformer',
        ),
    ):
        torch.save(dict(meta=dict(odd=Path('x')), state_dict={name: torch.ones(1) for name in names}), file)
        with pytest.raises(ValueError, match=message):  # noqa: SIM117
            with unreadable_checkpoints_explained(file):
                torch.load(file)
