"""Whether a model can be trained where it is, asked before anything else is done."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from torch import nn


class UntrainableError(ValueError):
    """A model that cannot be trained on this device; the message says what works instead."""


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
            "out to train in float32, or set type='Bfloat16OptimWrapper' without loss_scale (--amp bfloat16)"
        )


def check_trainable(model: nn.Module) -> None:
    """Ask every part of a model that has a method ``check_trainable`` whether it can be trained as it is.

    A frozen teacher is no part of its distiller, so it is not asked.

    Args:
        model: The model on the device that it will be trained on.

    Raises:
        UntrainableError: With the words of the first part that raises ValueError.
    """
    for module in model.modules():
        check = getattr(module, 'check_trainable', None)
        if check is None:
            continue
        try:
            check()
        except ValueError as error:
            raise UntrainableError(str(error)) from error
