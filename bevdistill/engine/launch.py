"""Run a training or a test from a config."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from ..checkpoints.find import existing_checkpoint, unreadable_checkpoints_explained
from ..teacher_cache.follow import follow_teacher_cache
from .config_file import load_config
from .devices import check_accelerator
from .process_group import check_same_start, distributed_run
from .screen import BriefRunner
from .trainable import check_precision, check_strategy, check_trainable

__all__ = ['build_runner', 'load_config', 'run_testing', 'run_training']


def build_runner(cfg: Config) -> Runner:
    """Build mmengine's runner, or the one that the config's ``runner_type`` names."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else BriefRunner.from_cfg(cfg)


def run_training(cfg: Config) -> Runner:
    """Train as the config says; with ``model.teacher_cache`` the data follows, see :func:`follow_teacher_cache`.

    Returns:
        The runner after training.

    Raises:
        UntrainableError: If the model cannot be trained on this device, or torch cannot use the machine's GPU; before
            data is read.
    """
    check_accelerator()
    check_precision(cfg)
    check_strategy(cfg)
    if not cfg.get('resume') and cfg.get('load_from'):
        cfg.load_from = existing_checkpoint(cfg.load_from)
    follow_teacher_cache(cfg)
    with distributed_run(cfg), unreadable_checkpoints_explained(cfg.get('load_from')):
        runner = build_runner(cfg)
        check_same_start(cfg)
        # FlexibleRunner builds its model when it trains.
        if isinstance(runner.model, nn.Module):
            check_trainable(runner.model)
        runner.train()
    return runner


def run_testing(cfg: Config, checkpoint: str) -> dict[str, float]:
    """Test a checkpoint as the config says.

    Returns:
        The metrics by name; mmengine also writes them to ``<work_dir>/<time>/<time>.json``.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If it does not fit the config, or torch cannot use the machine's GPU.
    """
    check_accelerator()
    cfg.load_from, cfg.resume = existing_checkpoint(checkpoint), False
    with distributed_run(cfg), unreadable_checkpoints_explained(cfg.load_from):
        metrics: dict[str, float] = build_runner(cfg).test()
    return metrics
