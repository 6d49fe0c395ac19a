"""A file is whole or as it was."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import get_file_backend

from bevdistill.checkpoints.atomic_backend import AtomicBackend


def test_writes_and_replaces(tmp_path: Path) -> None:
    backend = get_file_backend(str(tmp_path), backend_args=dict(backend='atomic'))
    assert isinstance(backend, AtomicBackend)
    for content in (b'one', b'two'):
        backend.put(content, str(tmp_path / 'new/file.pth'))
        assert (tmp_path / 'new/file.pth').read_bytes() == content
    assert [file.name for file in (tmp_path / 'new').iterdir()] == ['file.pth']
    (tmp_path / 'plain').touch()
    assert (tmp_path / 'new/file.pth').stat().st_mode == (tmp_path / 'plain').stat().st_mode
