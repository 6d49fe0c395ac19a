"""From a config to a finished run: what tools/train.py and tools/test.py do, as functions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from ..checkpoints.find import existing_checkpoint, latest_checkpoint, unreadable_checkpoints_explained
from ..teacher_cache.follow import follow_teacher_cache
from .overrides import apply_overrides
from .process_group import check_same_start, distributed_run
from .trainable import check_precision, check_strategy, check_trainable


def load_config(
    path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
) -> Config:
    """Read a config file, override entries and settle the work dir.

    Args:
        path: The config file.
        overrides: From dotted key to value, as :func:`apply_overrides` takes it.
        work_dir: Folder of the run; otherwise the config's own ``work_dir``, otherwise ``work_dirs/<file name>``.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.

    Raises:
        FileNotFoundError: If the file does not exist; names the nearest file beside it.
        ValueError: If an override does not fit.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(_no_config(file))
    cfg = Config.fromfile(str(file))
    # Its text is written four times per run. Formatted by yapf, each would take seconds, and it is readable without;
    # fromfile has this option too, but forgets it.
    cfg = Config(cfg.to_dict(), cfg.text, cfg.filename, cfg.env_variables, format_python_code=False)
    apply_overrides(cfg, overrides or {})
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / file.stem)
    cfg.launcher = launcher
    return cfg


def set_resume(cfg: Config, resume: str | None) -> None:
    """Resume from a checkpoint, or with ``'auto'`` from the newest one of the work dir if there is any.

    Raises:
        FileNotFoundError: If a checkpoint is named that does not exist.
    """
    if resume is None:
        return
    found = latest_checkpoint(cfg.work_dir) if resume == 'auto' else existing_checkpoint(resume)
    if found is None:
        print(f'--resume: no checkpoint in {cfg.work_dir} yet, starting from the beginning')
        return
    cfg.resume, cfg.load_from = True, found


def set_amp(cfg: Config, dtype: str = 'float16') -> None:
    """Train with automatic mixed precision: float16 with a dynamic loss scale, or bfloat16, which needs none.

    Raises:
        ValueError: If there is no accelerator for float16, or the config's optimizer wrapper is of another kind.
    """
    if dtype == 'float16' and get_device() == 'cpu':
        raise ValueError(
            '--amp in float16 needs a GPU; this machine has none that torch can see. Leave it out to train in float32, '
            'or use --amp bfloat16'
        )
    wanted = {'float16': 'AmpOptimWrapper', 'bfloat16': 'Bfloat16OptimWrapper'}[dtype]
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind == wanted:
        return
    if kind != 'OptimWrapper':
        raise ValueError(f"--amp changes an optim_wrapper of type 'OptimWrapper', the config has '{kind}'")
    cfg.optim_wrapper.type = wanted
    if dtype == 'float16':
        cfg.optim_wrapper.loss_scale = 'dynamic'


def set_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate with the samples per step: ranks x batch x accumulated steps over the config's own.

    Raises:
        ValueError: If the config does not say for how many samples per step its learning rate is.
    """
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    if not base:
        raise ValueError(
            '--auto-scale-lr: the config does not say for how many samples per step its learning rate is; add '
            'auto_scale_lr = dict(base_batch_size=N)'
        )
    # mmengine counts ranks and batch only.
    accumulated = cfg.optim_wrapper.get('accumulative_counts', 1)
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=base if accumulated == 1 else base / accumulated)


def set_seed(cfg: Config, seed: int) -> None:
    """Seed weights, data order and augmentation."""
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)


def check_test_split(cfg: Config) -> None:
    """Make sure that an evaluator looks for the samples that are predicted, before hours are spent on predicting them.

    Raises:
        ValueError: If data set and evaluator name different information files.
    """
    predicted = cfg.get('test_dataloader', {}).get('dataset', {}).get('ann_file')
    for position, evaluator in enumerate(_test_evaluators(cfg)):
        expected = evaluator.get('ann_file')
        if predicted and expected and Path(predicted).name != Path(expected).name:
            key = f'test_evaluator.{position}' if isinstance(cfg.test_evaluator, list) else 'test_evaluator'
            raise ValueError(
                f'the test data set reads {predicted}, but {key} expects the samples of {expected}; set both: '
                f'--cfg-options test_dataloader.dataset.ann_file=FILE {key}.ann_file=FILE'
            )


def _test_evaluators(cfg: Config) -> list[Any]:
    return list(cfg.test_evaluator) if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]


def set_format_only(cfg: Config) -> None:
    """Write predictions in the benchmark's format instead of scoring them, into ``<work_dir>/predictions``.

    Raises:
        ValueError: If no evaluator of the config can do so.
    """
    evaluators = _test_evaluators(cfg)
    writers = [evaluator for evaluator in evaluators if 'NuScenesMetric' in str(evaluator.type)]
    if not writers:
        present = [str(evaluator.type) for evaluator in evaluators]
        raise ValueError(f'--format-only needs a NuScenesMetric in test_evaluator, the config has {present}')
    for writer in writers:
        writer.format_only = True
        writer.jsonfile_prefix = str(Path(cfg.work_dir).absolute() / 'predictions')
    cfg.test_evaluator = writers


def set_show_dir(cfg: Config, show_dir: str) -> None:
    """Draw predictions while testing, by ``BEVVisualizationHook``."""
    hook = dict(cfg.default_hooks.get('visualization') or {}, type='BEVVisualizationHook', show_dir=show_dir)
    cfg.default_hooks.visualization = hook


def build_runner(cfg: Config) -> Runner:
    """Build mmengine's runner, or the one that the config's ``runner_type`` names."""
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def run_training(cfg: Config) -> Runner:
    """Train as the config says; with ``model.teacher_cache`` the data follows, see :func:`follow_teacher_cache`.

    Returns:
        The runner after training.

    Raises:
        UntrainableError: If the model cannot be trained on this device; before data is read.
    """
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
        ValueError: If it does not fit the config.
    """
    cfg.load_from, cfg.resume = existing_checkpoint(checkpoint), False
    with distributed_run(cfg), unreadable_checkpoints_explained(cfg.load_from):
        metrics: dict[str, float] = build_runner(cfg).test()
    return metrics


def _no_config(file: Path) -> str:
    if not file.parent.is_dir():
        return f'no config file {file}; the folder {file.parent} does not exist'
    near = difflib.get_close_matches(file.name, [other.name for other in file.parent.glob('*.py')], n=1, cutoff=0.3)
    return f'no config file {file}' + (f'; did you mean {file.parent / near[0]}?' if near else '')
