"""tools/test.py as a command; what it does is tested in tests/engine."""

from __future__ import annotations

import json
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
    monkeypatch.setattr(sys, 'argv', ['test.py', *words])
    try:
        runpy.run_path(str(REPO / 'tools/test.py'), run_name='__main__')
    except SystemExit as end:
        return end.code
    return 0


def test_help_shows_examples(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, '--help') == 0
    text = capsys.readouterr().out
    for word in ('--work-dir', '--show-dir', '--format-only', '--cfg-options', '--launcher', 'examples:'):
        assert word in text


def test_tests_a_checkpoint_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from toy_run import build, toy_config, write_config

    torch.save(dict(state_dict=build(toy_config(tmp_path)).model.state_dict()), 'start.pth')
    words = ['--work-dir', 'tested', '--cfg-options', 'test_dataloader.batch_size=1']
    assert run(monkeypatch, str(write_config(tmp_path)), 'start.pth', *words) == 0
    (metrics,) = (tmp_path / 'tested').glob('2*/2*.json')
    assert 'toy/mean' in json.loads(metrics.read_text())


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['nowhere.py', 'a.pth'], 'no config file nowhere.py'),
        (['config.py', 'epoch_1.pth'], 'checkpoints in that folder: other.pth'),
        (['config.py', 'other.pth', '--format-only'], "needs a NuScenesMetric in test_evaluator, the config has ['M']"),
        (['config.py', 'other.pth', '--cfg-options', 'mode=1'], "did you mean 'model'?"),
    ],
)
def test_mistakes_are_said_in_words(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'config.py').write_text("model = dict(a=1)\ntest_evaluator = dict(type='M')\n")
    (tmp_path / 'other.pth').touch()
    code = str(run(monkeypatch, *words))
    assert code.startswith('test.py: error: ')
    assert message in code
