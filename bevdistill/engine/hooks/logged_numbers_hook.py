"""Log an iteration's numbers without waiting for the device once more."""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from .finite_loss_hook import FiniteLossHook


@HOOKS.register_module()
class LoggedNumbersHook(Hook):
    """Replace the tensors among an iteration's outputs by numbers, before other hooks read them one by one.

    :class:`~.finite_loss_hook.FiniteLossHook` has brought them to the host together with its flags; what it has not is
    brought here, in one transfer.
    """

    priority = 'HIGHEST'

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Change the outputs in place."""
        if outputs is None:
            return
        for hook in runner.hooks:
            if isinstance(hook, FiniteLossHook):
                outputs.update({name: value for name, value in hook.numbers(runner).items() if name in outputs})
        left = {name: value for name, value in outputs.items() if isinstance(value, Tensor) and value.numel() == 1}
        if left:
            numbers = torch.stack([value.detach().reshape(()) for value in left.values()]).tolist()
            outputs.update(zip(left, numbers, strict=True))
