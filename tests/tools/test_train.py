"""tools/train.py from the command line; what it does is tested in tests/engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / 'tests/engine'))


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ, PYTHONPATH=str(REPO / 'tests/engine'), OMP_NUM_THREADS='1')
    command = [sys.executable, str(REPO / 'tools/train.py'), *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def test_help_shows_examples(tmp_path: Path) -> None:
    done = run(tmp_path, '--help')
    assert done.returncode == 0
    for word in ('--work-dir', '--resume', '--amp', '--cfg-options', '--launcher', '--seed', 'examples:', 'torchrun'):
        assert word in done.stdout


@pytest.mark.slow
def test_trains_from_another_folder_and_resumes(tmp_path: Path) -> None:
    from toy_run import write_config

    config = str(write_config(tmp_path))
    words = ['--work-dir', 'run', '--seed', '3', '--cfg-options', 'train_cfg.max_epochs=1']
    done = run(tmp_path, config, *words)
    assert done.returncode == 0, done.stderr
    assert 'eta: ' in done.stdout + done.stderr
    assert (tmp_path / 'run/epoch_1.pth').is_file()
    done = run(tmp_path, config, *words[:-1], 'train_cfg.max_epochs=2', '--resume')
    assert done.returncode == 0, done.stderr
    assert 'resumed epoch: 1, iter: 4' in done.stdout + done.stderr
    assert (tmp_path / 'run/epoch_2.pth').is_file()


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, 'nowhere/config.py')
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith('train.py: error: no config file nowhere/config.py')
    assert 'Traceback' not in done.stderr
