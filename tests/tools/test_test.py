"""tools/test.py from the command line; what it does is tested in tests/engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / 'tests/engine'))


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ, PYTHONPATH=str(REPO / 'tests/engine'), OMP_NUM_THREADS='1')
    command = [sys.executable, str(REPO / 'tools/test.py'), *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def test_help_shows_examples(tmp_path: Path) -> None:
    done = run(tmp_path, '--help')
    assert done.returncode == 0
    for word in ('--work-dir', '--show-dir', '--format-only', '--cfg-options', '--launcher', 'examples:'):
        assert word in done.stdout


@pytest.mark.slow
def test_tests_a_checkpoint_from_another_folder(tmp_path: Path) -> None:
    from toy_run import build, toy_config, write_config

    runner = build(toy_config(tmp_path))
    runner.train_loop  # noqa: B018  (built on first use, and needed for saving)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.save_checkpoint(str(tmp_path), 'start.pth', save_param_scheduler=False)
    config = str(write_config(tmp_path))
    done = run(tmp_path, config, 'start.pth', '--cfg-options', 'test_dataloader.batch_size=1', '--work-dir', 'run')
    assert done.returncode == 0, done.stderr
    (metrics,) = (tmp_path / 'run').glob('2*/2*.json')
    assert 'toy/mean' in json.loads(metrics.read_text())


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    (tmp_path / 'config.py').write_text('model = dict(a=1)\n')
    done = run(tmp_path, 'config.py', 'epoch_1.pth')
    assert done.returncode == 1
    assert 'test.py: error: no checkpoint' in done.stderr
    assert 'Traceback' not in done.stderr
