"""Files of the tables that are on disk."""

from __future__ import annotations

from pathlib import Path

from bevdistill.datasets.infos.presence import FilesOnDisk


def test_files_that_lead_out_of_the_root_are_not_there(tmp_path: Path) -> None:
    root = tmp_path / 'root'
    (root / 'samples').mkdir(parents=True)
    for file in (tmp_path / 'outside', root / 'samples/inside'):
        file.touch()
    files = FilesOnDisk(root)
    assert 'samples/inside' in files
    assert not any(name in files for name in ('../outside', 'samples/../../outside', str(tmp_path / 'outside')))
