"""tools/train.py as a command; what it does is tested in tests/engine."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(REPO / 'tests/engine')


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """Run the tool in this process; returns what it exits with."""
    monkeypatch.setattr(sys, 'argv', ['train.py', *words])
    try:
        runpy.run_path(str(REPO / 'tools/train.py'), run_name='__main__')
    except SystemExit as end:
        return end.code
    return 0


def test_help_shows_examples(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, '--help') == 0
    text = capsys.readouterr().out
    for word in ('--work-dir', '--resume', '--amp', '--cfg-options', '--launcher', '--seed', 'examples:', 'torchrun'):
        assert word in text


def test_trains_from_another_folder_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toy_run import write_config

    words = ['--work-dir', 'run', '--seed', '3', '--cfg-options', 'model.num_classes=2']
    assert run(monkeypatch, str(write_config(tmp_path)), *words, 'train_cfg.max_epochs=1') == 0
    assert run(monkeypatch, str(write_config(tmp_path)), *words, 'train_cfg.max_epochs=2', '--resume') == 0
    assert (tmp_path / 'run/epoch_2.pth').is_file()
    first, second = sorted((tmp_path / 'run').glob('2*/2*.log'), key=lambda file: file.stat().st_mtime)
    assert 'eta: ' in first.read_text()
    assert 'resumed epoch: 1, iter: 4' in second.read_text()
    assert 'seed: 3' in second.read_text()


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['nowhere/config.py'], 'no config file nowhere/config.py; the folder nowhere does not exist'),
        (['config.py', '--resume', 'epoch_9.pth'], 'no checkpoint'),
        (['config.py', '--cfg-options', 'model.bakcbone.depth=50'], "did you mean 'model.backbone.depth'?"),
        (['config.py', '--cfg-options', 'model'], "cannot read the override 'model'"),
    ],
)
def test_mistakes_are_said_in_words(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'config.py').write_text('model = dict(backbone=dict(depth=18))\n')
    code = str(run(monkeypatch, *words))
    assert code.startswith('train.py: error: ')
    assert message in code
