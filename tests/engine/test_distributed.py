"""Several processes without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from toy_run import REPO, write_config

from bevdistill.engine import distributed as module
from bevdistill.engine.distributed import distributed_run


def test_one_process_needs_nothing() -> None:
    cfg = Config(dict(launcher='none'))
    with distributed_run(cfg):
        assert not torch.distributed.is_initialized()
    assert cfg.to_dict() == dict(launcher='none')


def test_missing_variables_name_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(ValueError, match=r"(?s)'RANK'.*torchrun"), distributed_run(Config(dict(launcher='pytorch'))):
        pass


def test_slurm_needs_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, 'get_device', lambda: 'cpu')
    cfg = Config(dict(launcher='slurm'))
    with pytest.raises(ValueError, match='--launcher slurm needs GPUs'), distributed_run(cfg):
        pass


@pytest.mark.slow
def test_two_processes_train_as_one_model(tmp_path: Path) -> None:
    config = write_config(tmp_path, extra="train_cfg = dict(max_epochs=1)\n")
    tool = str(REPO / 'tools/train.py')
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', tool]
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parent), OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    done = subprocess.run(
        [*command, str(config), '--work-dir', 'run', '--launcher', 'pytorch'],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    # 8 samples in batches of 2 on 2 ranks: two steps instead of four.
    checkpoint = torch.load(tmp_path / 'run/epoch_1.pth', weights_only=True)
    assert checkpoint['meta']['iter'] == 2
    assert not any(name.startswith('module.') for name in checkpoint['state_dict'])
