"""The verb train; what it does is tested in tests/engine."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest
from cli_runs import Run
from mmengine.config import Config

from bevdistill.cli.loading import read_config_of
from bevdistill.cli.train import add_arguments, apply_options
from bevdistill.engine import settings


def test_help_shows_examples(run: Run) -> None:
    code, text, _ = run('train', '--help')
    assert code == 0
    for word in ('--work-dir', '--resume', '--amp', '--cfg-options', '--launcher', '--seed', 'examples:', 'torchrun'):
        assert word in text


def test_trains_from_another_folder_and_resumes(toy_folder: Path, run: Run) -> None:
    from toy_run import write_config

    words = ['--work-dir', 'run', '--seed', '3', '--cfg-options', 'model.num_classes=2']
    first = run('train', write_config(toy_folder), *words, 'train_cfg.max_epochs=1')
    assert first.code == 0
    shown = f'{first.err}{first.out}'.splitlines()
    first_loss = next(number for number, line in enumerate(shown) if 'Epoch(train)' in line)
    assert shown[0].startswith('reading ')
    assert first_loss <= 60, 'a short screen before the first loss'
    assert run('train', write_config(toy_folder), *words, 'train_cfg.max_epochs=2', '--resume').code == 0
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
    words: list[str], message: str, toy_folder: Path, run: Run
) -> None:
    (toy_folder / 'config.py').write_text('model = dict(backbone=dict(depth=18))\ntrain_dataloader = dict()\n')
    code, _, said = run('train', *words)
    assert code == 1
    assert 'bevdistill train: error: ' in said
    assert message in said


def options(cfg: Config, *words: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    apply_options(cfg, parser.parse_args(['config.py', *words]))


def test_options_change_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, 'get_device', lambda: 'cpu')
    cfg = Config(dict(work_dir=str(tmp_path), optim_wrapper=dict(type='OptimWrapper')))
    options(cfg, '--resume', '--amp', 'bfloat16', '--seed', '7')
    assert f'--resume: no checkpoint in {tmp_path} yet, starting from the beginning' in capsys.readouterr().out
    assert (cfg.optim_wrapper.type, cfg.randomness) == ('Bfloat16OptimWrapper', dict(seed=7))
    assert not cfg.get('resume')


def test_errors_name_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, 'get_device', lambda: 'cpu')
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    with pytest.raises(ValueError, match=r'^--amp: mixed precision in float16 needs a GPU'):
        options(cfg, '--amp')
    with pytest.raises(ValueError, match=r'^--auto-scale-lr: the config does not say'):
        options(cfg, '--auto-scale-lr')


def test_flags_of_openmmlabs_launchers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('LOCAL_RANK', '9')  # so that it is as before afterwards
    monkeypatch.delenv('LOCAL_RANK')
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(['nowhere.py', '--local-rank', '3', '--sync_bn', 'torch'])
    cfg = Config(dict(work_dir='run'))
    apply_options(cfg, args)
    assert cfg.sync_bn == 'torch'
    with pytest.raises(FileNotFoundError):
        read_config_of(args)
    assert os.environ['LOCAL_RANK'] == '3'
