"""What was tested stands beside the result, by the first process alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from bevdistill.engine import tested
from bevdistill.engine.tested import record_tested

SHA = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
"""Of the three letters abc (FIPS 180-2)."""


def config(work_dir: str, **more: Any) -> Config:
    return Config(dict(work_dir=work_dir, **more), 'of text', 'configs/a.py')


def test_the_record_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('a.pth').write_bytes(b'abc')
    cfg = config('runs/a', test_dataloader=dict(dataset=dict(ann_file='val.gz')))
    assert record_tested(cfg, 'a.pth', tmp_path) == tmp_path / 'tested.json'
    content = json.loads((tmp_path / 'tested.json').read_text())
    assert content == dict(
        config='configs/a.py', checkpoint='a.pth', sha256=SHA, work_dir=str(tmp_path / 'runs/a'), samples='val.gz'
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.pth', 'tested.json'], 'nothing is left aside'


@pytest.mark.parametrize('more', [dict(), dict(test_dataloader=None), dict(test_dataloader=dict(batch_size=1))])
def test_what_is_not_known_is_null(more: dict[str, Any], tmp_path: Path) -> None:
    """An address has no hash; an earlier record is replaced."""
    (tmp_path / 'tested.json').write_text('old')
    record_tested(config('a', **more), 'https://host/a.pth', tmp_path)
    content = json.loads((tmp_path / 'tested.json').read_text())
    assert content['sha256'] is None and content['samples'] is None and content['checkpoint'] == 'https://host/a.pth'


def test_other_processes_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, 'is_main_process', lambda: False)
    assert record_tested(config('a'), 'a.pth', tmp_path) is None and not list(tmp_path.iterdir())
