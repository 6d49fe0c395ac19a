"""tools/train.py as a command; what it does is tested in tests/engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


def test_help_shows_examples(run_tool: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tool('train.py', '--help') == 0
    text = capsys.readouterr().out
    for word in ('--work-dir', '--resume', '--amp', '--cfg-options', '--launcher', '--seed', 'examples:', 'torchrun'):
        assert word in text


def test_trains_from_another_folder_and_resumes(toy_folder: Path, run_tool: Callable[..., object]) -> None:
    from toy_run import write_config

    words = ['--work-dir', 'run', '--seed', '3', '--cfg-options', 'model.num_classes=2']
    assert run_tool('train.py', write_config(toy_folder), *words, 'train_cfg.max_epochs=1') == 0
    assert run_tool('train.py', write_config(toy_folder), *words, 'train_cfg.max_epochs=2', '--resume') == 0
    assert (toy_folder / 'run/epoch_2.pth').is_file()
    # A folder a run, named by the second: two runs within one second share it.
    logs = ''.join(file.read_text() for file in sorted((toy_folder / 'run').glob('2*/2*.log')))
    assert 'eta: ' in logs
    assert 'resumed epoch: 1, iter: 4' in logs
    assert logs.count('    seed: 3') == 2


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
    words: list[str], message: str, toy_folder: Path, run_tool: Callable[..., object]
) -> None:
    (toy_folder / 'config.py').write_text('model = dict(backbone=dict(depth=18))\n')
    code = str(run_tool('train.py', *words))
    assert code.startswith('train.py: error: ')
    assert message in code
