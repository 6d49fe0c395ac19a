"""Whether a model can be trained where it is, asked before anything else is done."""

from __future__ import annotations

from torch import nn


class UntrainableError(ValueError):
    """A model that cannot be trained on this device; the message says what works instead."""


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
