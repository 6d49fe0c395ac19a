"""The verb test; what it does is tested in tests/engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runs import Run

CONFIG = """
model = dict(a=1)
test_dataloader = dict(dataset=dict(ann_file='a.pkl'))
test_evaluator = dict(type='M', ann_file='a.pkl')
"""


def test_help_shows_examples(run: Run) -> None:
    code, text, _ = run('test', '--help')
    assert code == 0
    for word in ('--work-dir', '--show-dir', '--format-only', '--cfg-options', '--launcher', 'examples:'):
        assert word in text


def test_tests_a_checkpoint_from_another_folder(toy_folder: Path, run: Run) -> None:
    import torch
    from toy_run import build, toy_config, write_config

    torch.save(dict(state_dict=build(toy_config(toy_folder)).model.state_dict()), 'start.pth')
    words = ['--work-dir', 'tested', '--cfg-options', 'test_dataloader.batch_size=1']
    assert run('test', write_config(toy_folder), 'start.pth', *words).code == 0
    (metrics,) = (toy_folder / 'tested').glob('2*/2*.json')
    assert 'toy/mean' in json.loads(metrics.read_text())


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['nowhere.py', 'a.pth'], 'no config file nowhere.py'),
        (['config.py', 'epoch_1.pth'], 'checkpoints in that folder: other.pth'),
        (
            ['config.py', 'other.pth', '--format-only'],
            "--format-only: writing predictions needs a NuScenesMetric in test_evaluator, the config has ['M']",
        ),
        (['config.py', 'other.pth', '--tta'], '--tta: a mirrored scene has mirrored camera matrices'),
        (['config.py', 'other.pth', '--score-thr', '0.5'], '--score-thr is about pictures, and none are drawn; add'),
        (
            ['config.py', 'other.pth', '--show-dir', 'a', '--wait-time', '1'],
            '--wait-time is about windows, and none is shown; add --show',
        ),
        (['config.py', 'other.pth', '--cfg-options', 'mode=1'], "did you mean 'model'?"),
        (
            ['config.py', 'other.pth', '--cfg-options', 'test_dataloader.dataset.ann_file=b.pkl'],
            'the test data set reads b.pkl, but test_evaluator expects the samples of a.pkl; set both',
        ),
    ],
)
def test_mistakes_are_said_in_words(
    words: list[str], message: str, toy_folder: Path, run: Run
) -> None:
    (toy_folder / 'config.py').write_text(CONFIG)
    (toy_folder / 'other.pth').touch()
    code, _, said = run('test', *words)
    assert code == 1
    assert 'bevdistill test: error: ' in said
    assert message in said
