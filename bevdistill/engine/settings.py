"""Change what a run does beyond its config: resume, precision, learning rate, seed, output of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device

from ..checkpoints.existing import existing_checkpoint
from ..checkpoints.find import latest_checkpoint
from ..datasets.infos.files import split_of


def set_resume(cfg: Config, resume: str) -> str | None:
    """Resume from a checkpoint, or with ``'auto'`` from the newest one of the work dir.

    Returns:
        The checkpoint, or None where the work dir has none: then the config stays as it is.

    Raises:
        FileNotFoundError: If a checkpoint is named that does not exist.
    """
    found = latest_checkpoint(cfg.work_dir) if resume == 'auto' else existing_checkpoint(resume)
    if found is not None:
        cfg.resume, cfg.load_from = True, found
    return found


def set_amp(cfg: Config, dtype: str = 'float16') -> None:
    """Train with automatic mixed precision: float16 with a dynamic loss scale, or bfloat16, which needs none.

    Raises:
        ValueError: If there is no accelerator for float16, or the config's optimizer wrapper is of another kind.
    """
    if dtype == 'float16' and get_device() == 'cpu':
        raise ValueError(
            'mixed precision in float16 needs a GPU; this machine has none that torch can see. Train in float32, or in '
            'bfloat16'
        )
    wanted = {'float16': 'AmpOptimWrapper', 'bfloat16': 'Bfloat16OptimWrapper'}[dtype]
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind == wanted:
        return
    if kind != 'OptimWrapper':
        raise ValueError(f"mixed precision changes an optim_wrapper of type 'OptimWrapper', the config has '{kind}'")
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
            'the config does not say for how many samples per step its learning rate is; add '
            'auto_scale_lr = dict(base_batch_size=N)'
        )
    # mmengine counts ranks and batch only.
    accumulated = cfg.optim_wrapper.get('accumulative_counts', 1)
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=base if accumulated == 1 else base / accumulated)


def set_seed(cfg: Config, seed: int) -> None:
    """Seed weights, data order and augmentation."""
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)


def check_test_split(cfg: Config) -> None:
    """Check that the evaluator reads the information file that the test data set reads, before anything is predicted.

    Raises:
        ValueError: If data set and evaluator name different information files.
    """
    predicted = cfg.get('test_dataloader', {}).get('dataset', {}).get('ann_file')
    for position, evaluator in enumerate(_test_evaluators(cfg)):
        expected = evaluator.get('ann_file')
        if predicted and expected and split_of(predicted) != split_of(expected):
            key = f'test_evaluator.{position}' if isinstance(cfg.test_evaluator, list) else 'test_evaluator'
            raise ValueError(
                f'the test data set reads {predicted}, but {key} expects the samples of {expected}; set both: '
                f'--cfg-options test_dataloader.dataset.ann_file=FILE {key}.ann_file=FILE'
            )


def set_format_only(cfg: Config) -> None:
    """Write predictions in the benchmark's format instead of scoring them, into ``<work_dir>/predictions``.

    Raises:
        ValueError: If no evaluator of the config can do so.
    """
    writers = set_keep_predictions(cfg)
    for writer in writers:
        writer.format_only = True
    cfg.test_evaluator = writers


def set_keep_predictions(cfg: Config) -> list[Any]:
    """Write the predictions that a test scores to ``<work_dir>/predictions``; returns the evaluators that do.

    Raises:
        ValueError: If no evaluator of the config can do so.
    """
    evaluators = _test_evaluators(cfg)
    writers = [evaluator for evaluator in evaluators if 'NuScenesMetric' in str(evaluator.type)]
    if not writers:
        present = [str(evaluator.type) for evaluator in evaluators]
        raise ValueError(f'writing predictions needs a NuScenesMetric in test_evaluator, the config has {present}')
    for writer in writers:
        writer.jsonfile_prefix = str(Path(cfg.work_dir).absolute() / 'predictions')
    return writers


def set_pictures(cfg: Config, **options: Any) -> None:
    """Draw predictions while testing, by ``BEVVisualizationHook``.

    Args:
        cfg: The config.
        **options: Arguments of the hook; those that are None stay as the config has them.
    """
    given = {name: value for name, value in options.items() if value is not None}
    hook = dict(cfg.default_hooks.get('visualization') or {}, type='BEVVisualizationHook', draw=True, **given)
    cfg.default_hooks.visualization = hook


def _test_evaluators(cfg: Config) -> list[Any]:
    return list(cfg.test_evaluator) if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
