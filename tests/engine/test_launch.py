"""From a config file to a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from toy_run import write_config

from bevdistill.engine.launch import load_config, run_testing, run_training
from bevdistill.engine.settings import set_resume


def test_train_resume_and_test(tmp_path: Path) -> None:
    def config(epochs: int) -> Config:
        return load_config(write_config(tmp_path), {'train_cfg.max_epochs': epochs}, work_dir=tmp_path / 'run')

    cfg = config(1)
    assert set_resume(cfg, 'auto') is None
    assert run_training(cfg).epoch == 1
    cfg = config(2)
    assert set_resume(cfg, 'auto') == cfg.load_from
    assert cfg.load_from.endswith('epoch_1.pth')
    assert run_training(cfg).iter == 8
    metrics = run_testing(config(2), str(tmp_path / 'run/epoch_2.pth'))
    assert list(metrics) == ['toy/mean']


def test_start_weights_survive_resume_auto_without_checkpoint(tmp_path: Path) -> None:
    cfg = load_config(write_config(tmp_path, extra="load_from = 'pretrained.pth'\n"), work_dir=tmp_path / 'run')
    set_resume(cfg, 'auto')
    assert cfg.load_from == 'pretrained.pth' and not cfg.resume
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*pretrained\.pth'):
        run_training(cfg)


def test_missing_checkpoints(tmp_path: Path) -> None:
    cfg = load_config(write_config(tmp_path), work_dir=tmp_path / 'run')
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*epoch_7\.pth'):
        set_resume(cfg, str(tmp_path / 'epoch_7.pth'))
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*epoch_7\.pth'):
        run_testing(cfg, str(tmp_path / 'epoch_7.pth'))


def test_checkpoint_with_objects_is_refused(tmp_path: Path) -> None:
    torch.save(dict(state_dict={}, meta=dict(odd=Path('x'))), tmp_path / 'odd.pth')
    with pytest.raises(ValueError, match='holds Python objects'):
        run_testing(load_config(write_config(tmp_path), work_dir=tmp_path / 'run'), str(tmp_path / 'odd.pth'))
