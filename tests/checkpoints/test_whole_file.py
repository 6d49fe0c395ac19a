"""A file is whole or as it was, and what killed writers leave is removed."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from bevdistill.checkpoints.whole_file import sweep_parts, write_whole


@pytest.mark.parametrize('failing', ['write', 'fsync', 'replace'])
def test_failure_keeps_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    file = tmp_path / 'file.pth'
    write_whole(b'good', file)

    def no_space(*args: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    if failing == 'write':
        real = os.fdopen
        monkeypatch.setattr(os, 'fdopen', lambda handle, mode: os.close(handle) or real(os.open('/dev/full', 1), mode))
    else:
        monkeypatch.setattr(os, failing, no_space)
    with pytest.raises(OSError, match=r'cannot write .*file\.pth: No space left on device') as caught:
        write_whole(b'half' * 5000, file)
    assert caught.value.errno == errno.ENOSPC
    assert file.read_bytes() == b'good'
    assert [other.name for other in tmp_path.iterdir()] == ['file.pth']


def test_devices_and_links_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='cannot write /dev/full: No space left'):
        write_whole(b'x', '/dev/full')
    assert Path('/dev/full').is_char_device()
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'elsewhere' / 'file')
    write_whole(b'x', tmp_path / 'link')
    assert (tmp_path / 'elsewhere' / 'file').read_bytes() == b'x'
    assert (tmp_path / 'link').is_symlink()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match=r'cannot write .*file/below/a: Not a directory'):
        write_whole(b'', tmp_path / 'file' / 'below' / 'a')


def test_file_and_folder_are_on_disk_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    real_sync, real_replace = os.fsync, os.replace

    def fsync(handle: int) -> None:
        done.append(os.readlink(f'/proc/self/fd/{handle}'))
        real_sync(handle)

    monkeypatch.setattr(os, 'fsync', fsync)
    monkeypatch.setattr(os, 'replace', lambda one, two: done.append('renamed') or real_replace(one, two))
    write_whole(b'x', tmp_path / 'a')
    assert done[0].endswith('.part')
    assert done[1:] == ['renamed', str(tmp_path)]


def test_parts_whose_writer_is_gone_are_removed(tmp_path: Path) -> None:
    dead, alive, newborn = (tmp_path / f'.{name}.part' for name in ('dead', 'alive', 'newborn'))
    for part in (dead, alive):
        part.write_bytes(b'half')
    newborn.touch()
    (tmp_path / 'mine.part').touch()
    with alive.open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert sweep_parts(tmp_path) == [dead]
    assert sweep_parts(tmp_path) == [alive]
    os.utime(newborn, (0, 0))
    assert sweep_parts(tmp_path) == [newborn]
    assert sweep_parts(tmp_path / 'nowhere') == []
    assert [file.name for file in tmp_path.iterdir()] == ['mine.part']
    (tmp_path / '.a[1].json.x.part').write_bytes(b'half')
    write_whole(b'whole', tmp_path / 'a[1].json')
    assert {file.name for file in tmp_path.iterdir()} == {'mine.part', 'a[1].json'}, 'a write cleans up after the last'
