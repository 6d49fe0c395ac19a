"""The verb synthetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_runs import Run

from bevdistill.cli import synthetic
from bevdistill.synthetic import MARKER, PRESETS, VERSIONS


def test_writes_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    small = replace(PRESETS['tiny'], train_scenes=1, val_scenes=1, train_keyframes=2, val_keyframes=2, sweep_slots=())
    monkeypatch.setitem(PRESETS, 'tiny', small)
    arguments = (str(tmp_path / 'data'), '--preset', 'tiny', '--version', 'v1.0-mini', '--seed', '3', '--workers', '1')
    told = run('synthetic', *arguments)
    assert told.code == 0
    assert 'wrote' in told.out
    assert 'keyframes/s' in told.err, 'progress bar'
    assert (tmp_path / 'data' / MARKER).is_file()
    refused = run('synthetic', *arguments)
    assert refused.code == 1
    assert 'pass --overwrite to replace it' in refused.err
    assert run('synthetic', *arguments, '--overwrite').code == 0


def test_help_has_examples(run: Run) -> None:
    done = run('synthetic', '--help')
    assert done.code == 0
    assert '--preset benchmark --workers 4 --overwrite' in done.out


def test_choices_are_those_of_the_generator() -> None:
    assert sorted(synthetic.PRESETS) == sorted(PRESETS)
    assert synthetic.VERSIONS == VERSIONS
