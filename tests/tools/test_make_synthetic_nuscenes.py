from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bevdistill.synthetic import MARKER, PRESETS

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'make_synthetic_nuscenes.py'


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, 'argv', ['make_synthetic_nuscenes.py', *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name='__main__')
    return ended.value.code


def test_writes_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = replace(PRESETS['tiny'], train_scenes=1, val_scenes=1, train_keyframes=2, val_keyframes=2, sweep_slots=())
    monkeypatch.setitem(PRESETS, 'tiny', small)
    arguments = (str(tmp_path / 'data'), '--preset', 'tiny', '--version', 'v1.0-mini', '--seed', '3', '--workers', '1')
    assert run(monkeypatch, *arguments) == 0
    told = capsys.readouterr()
    assert 'wrote' in told.out
    assert 'keyframes/s' in told.err, 'progress bar'
    assert (tmp_path / 'data' / MARKER).is_file()
    assert run(monkeypatch, *arguments) == 1
    assert 'pass --overwrite to replace it' in capsys.readouterr().err
    assert run(monkeypatch, *arguments, '--overwrite') == 0


def test_help_has_examples(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, '--help') == 0
    assert '--preset benchmark --workers 4 --overwrite' in capsys.readouterr().out
