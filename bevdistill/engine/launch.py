"""Run a training or a test from a config."""

from __future__ import annotations

import logging

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from ..checkpoints.existing import existing_checkpoint
from ..checkpoints.find import latest_checkpoint, unreadable_checkpoints_explained
from ..checkpoints.whole_file import full_disk_explained
from ..datasets.workers import lost_worker_explained, set_pinned, set_time_limits, time_limit
from ..for_people import config_explained
from ..teacher_cache.follow import follow_teacher_cache
from .agreement import check_agreement
from .config_check import check_halves
from .config_file import load_config
from .devices import check_accelerator
from .hooks import StopHook
from .keeping_best import check_best_keys, settle_best
from .process_group import check_same_start, distributed_run
from .screen import BriefRunner
from .stopping import RunStopped, WaitStopped, stop_on_signals
from .tested import record_tested
from .trainable import check_loop, check_precision, check_strategy, check_trainable

__all__ = ['build_runner', 'load_config', 'run_testing', 'run_training']


def build_runner(cfg: Config) -> Runner:
    """Build mmengine's runner, or the one that the config's ``runner_type`` names."""
    with config_explained('a part'):
        return RUNNERS.build(cfg) if 'runner_type' in cfg else BriefRunner.from_cfg(cfg)


def run_training(cfg: Config) -> Runner:
    """Train as the config says; with ``model.teacher_cache`` the data follows, see :func:`follow_teacher_cache`.

    SIGTERM, SIGINT and SIGUSR1 save a checkpoint and end the run, see :class:`~.hooks.stop_hook.StopHook`.

    Returns:
        The runner after training.

    Raises:
        UntrainableError: If the model cannot be trained on this device, or torch cannot use the machine's GPU; before
            data is read.
        LostWorkerError: If a worker of the data loader was killed or stopped.
        RunStopped: If the process was asked to stop by a signal; ends it with the status :data:`~.stopping.STOPPED`.
        ValueError: If settings contradict each other, or a hook follows a metric that is not reported.
    """
    check_accelerator()
    check_precision(cfg)
    check_strategy(cfg)
    check_loop(cfg)
    check_halves(cfg)
    check_agreement(cfg)
    settle_best(cfg)
    if cfg.get('load_from'):
        cfg.load_from = existing_checkpoint(cfg.load_from)
    elif cfg.get('resume'):
        cfg.load_from = latest_checkpoint(cfg.work_dir)
        cfg.resume = cfg.load_from is not None
    follow_teacher_cache(cfg)
    set_time_limits(cfg)
    set_pinned(cfg)
    try:
        with stop_on_signals(), full_disk_explained(cfg.work_dir):
            return _train(cfg)
    except RunStopped as stopped:
        print_log(stopped.message, 'current', logging.WARNING)
        raise


def _train(cfg: Config) -> Runner:
    explained = unreadable_checkpoints_explained(cfg.get('load_from'))
    with distributed_run(cfg), explained, lost_worker_explained(time_limit(cfg)):
        runner = build_runner(cfg)
        check_same_start(cfg)
        # FlexibleRunner builds its model when it trains.
        if isinstance(runner.model, nn.Module):
            check_trainable(runner.model)
        check_best_keys(runner)
        stop = StopHook()
        runner.register_hook(stop)
        try:
            runner.train()
        except WaitStopped:
            stop.stop(runner)
    return runner


def run_testing(cfg: Config, checkpoint: str) -> dict[str, float]:
    """Test a checkpoint as the config says.

    Returns:
        The metrics by name; mmengine also writes them to ``<work_dir>/<time>/<time>.json``, and ``tested.json``
        beside it says of which checkpoint they are.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If it does not fit the config, or torch cannot use the machine's GPU.
    """
    check_accelerator()
    check_halves(cfg)
    cfg.load_from, cfg.resume = existing_checkpoint(checkpoint), False
    check_agreement(cfg)
    set_time_limits(cfg)
    set_pinned(cfg)
    explained = unreadable_checkpoints_explained(cfg.load_from)
    group, lost = distributed_run(cfg, 'test'), lost_worker_explained(time_limit(cfg))
    with full_disk_explained(cfg.work_dir), group, explained, lost:
        runner = build_runner(cfg)
        metrics: dict[str, float] = runner.test()
        record_tested(cfg, cfg.load_from, runner.log_dir)
    return metrics
