"""Check that a model can be trained on this device before any data is read."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from torch import nn


class UntrainableError(ValueError):
    """Signal that a model cannot be trained on this device; the message says what works instead."""


def check_precision(cfg: Config) -> None:
    """Refuse mmengine's wrapper for float16 where there is no accelerator: it would fail in an assertion.

    Args:
        cfg: Config of a training.

    Raises:
        UntrainableError: With what works instead.
    """
    wrapper: dict[str, Any] = cfg.get('optim_wrapper') or {}
    if wrapper.get('type') == 'AmpOptimWrapper' and get_device() == 'cpu':
        raise UntrainableError(
            "optim_wrapper.type='AmpOptimWrapper' needs a GPU, and this machine has none that torch can see: leave it "
            "out to train in float32, or set type='Bfloat16OptimWrapper' without loss_scale"
        )


def check_loop(cfg: Config) -> None:
    """Refuse to count epochs of a sampler that never ends, or epochs and iterations at once.

    Args:
        cfg: Config of a training.

    Raises:
        UntrainableError: With what works instead.
    """
    loop: dict[str, Any] = cfg.get('train_cfg') or {}
    loader: dict[str, Any] = cfg.get('train_dataloader') or {}
    counted = [key for key in ('max_epochs', 'max_iters') if key in loop]
    wanted = ['max_epochs' if loop.get('by_epoch') else 'max_iters']
    if 'type' not in loop and counted and counted != wanted:
        raise UntrainableError(
            f'train_cfg.by_epoch={loop.get("by_epoch")} wants {wanted[0]} alone, but train_cfg has {counted}; replace '
            'all of it: train_cfg._delete_=True train_cfg.by_epoch=...'
        )
    endless = (loader.get('sampler') or {}).get('infinite')
    if endless and 'max_epochs' in loop and not loop.get('type') == 'IterBasedTrainLoop':
        raise UntrainableError(
            'train_cfg counts epochs, but train_dataloader.sampler.infinite=True never ends one. Count iterations '
            '(train_cfg.max_iters), or also set train_dataloader.sampler.infinite=False log_processor.by_epoch=True '
            'default_hooks.checkpoint.by_epoch=True default_hooks.checkpoint.interval=1'
        )


def check_strategy(cfg: Config) -> None:
    """Refuse mmengine's ``FSDPStrategy`` where it would crash, lose the teacher or stop at the first resume.

    Args:
        cfg: Config of a training.

    Raises:
        UntrainableError: With what works instead.
    """
    strategy: dict[str, Any] = cfg.get('strategy') or {}
    if strategy.get('type') != 'FSDPStrategy':
        return
    model: dict[str, Any] = cfg.get('model') or {}
    if get_device() == 'cpu':
        # Seen with torch 2.13 and two processes: a segmentation fault within the first steps.
        raise UntrainableError(
            'FSDPStrategy needs GPUs: torch crashes when it shards among processes on CPUs. Leave out runner_type and '
            'strategy'
        )
    if model.get('type') == 'BEVDistiller' and not model.get('teacher_cache'):
        raise UntrainableError(
            'FSDPStrategy shards the student, and a teacher that runs would stay behind on the CPU: read it from a '
            'cache (model.teacher_cache, see tools/cache_teacher.py) or train without the strategy'
        )
    if cfg.get('resume'):
        # mmengine 0.10.7 hands the optimizer's state to torch in the order of arguments before torch 2.1.
        raise UntrainableError(
            'a run with FSDPStrategy cannot be resumed, mmengine does not load the optimizer of one: start a new run '
            'from its weights by load_from, without resume'
        )


def check_trainable(model: nn.Module) -> None:
    """Call ``check_trainable`` of every sub-module that has it; a frozen teacher is no sub-module of its distiller.

    Args:
        model: The model on the device that it will be trained on.

    Raises:
        UntrainableError: With the message of the first sub-module that raises ValueError.
    """
    for module in model.modules():
        check = getattr(module, 'check_trainable', None)
        if check is None:
            continue
        try:
            check()
        except ValueError as error:
            raise UntrainableError(str(error)) from error
