"""Stop a run at once when its loss is NaN or infinite, and name the term."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ...distributed.wrappers import unwrap_model


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop before the optimizer step if a loss term is NaN or infinite.

    A forward hook of torch looks at the terms as the model returns them, hence before the backward pass: the weights
    and the last checkpoint stay good. All terms together cost one transfer to the host per iteration.

    Note:
        A gradient can overflow although the loss is finite. That step is taken (under AMP the loss scaler skips
        it), and the next iteration's loss reports it.
    """

    def __init__(self) -> None:
        self._samples: list[str] = []
        self._check: RemovableHandle | None = None

    def before_train(self, runner: Runner) -> None:
        """Check the output of every forward pass with ``mode='loss'``."""
        self._release()

        def check(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if kwargs.get('mode') == 'loss' and isinstance(output, Mapping):
                broken = not_finite(output)
                if broken:
                    self._stop(runner, output, broken)

        self._check = unwrap_model(runner.model).register_forward_hook(check, with_kwargs=True)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Remember which samples this iteration sees."""
        self._samples = sample_names(data_batch)

    def after_train(self, runner: Runner) -> None:
        """Leave the model as it was."""
        self._release()

    def _release(self) -> None:
        if self._check is not None:
            self._check.remove()
            self._check = None

    def _stop(self, runner: Runner, losses: Mapping[str, Any], broken: list[str]) -> None:
        terms = ', '.join(f'{name} = {_shown(losses[name])}' for name in broken)
        fine = [name for name in losses if 'loss' in name and name not in broken]
        message = (
            f'iteration {runner.iter + 1} (epoch {runner.epoch + 1}, rank {get_rank()}): the loss is not finite: '
            f'{terms}. Finite terms: {", ".join(fine) or "none"}. Samples: {", ".join(self._samples) or "unnamed"}. '
            'No step was taken with it. Lower the learning rate or the weight of the term, or look at these samples; '
            'if all terms broke at once, the step before broke the weights'
        )
        runner.logger.error(message)
        raise FloatingPointError(message)


def not_finite(losses: Mapping[str, Any]) -> list[str]:
    """Names of the trained terms (those with 'loss' in the name) that hold a NaN or an infinity."""
    names, flags = [], []
    for name, value in losses.items():
        if 'loss' in name:
            for tensor in [value] if isinstance(value, Tensor) else value:
                names.append(name)
                flags.append(torch.isfinite(tensor.detach()).all())
    if not flags:
        return []
    finite = torch.stack([flag.to(flags[0].device) for flag in flags]).tolist()
    return list(dict.fromkeys(name for name, good in zip(names, finite, strict=True) if not good))


def sample_names(data_batch: Any) -> list[str]:
    """Tokens of the samples in a batch as the data loader gives it, or their indices where they have none."""
    samples = data_batch.get('data_samples', []) if isinstance(data_batch, Mapping) else []
    names = []
    for sample in samples if isinstance(samples, list | tuple) else []:
        metainfo = getattr(sample, 'metainfo', {})
        names.append(str(metainfo.get('token', metainfo.get('sample_idx', 'unnamed'))))
    return names


def _shown(value: Any) -> str:
    tensors = [value] if isinstance(value, Tensor) else list(value)
    return ', '.join(str(tensor.detach().mean().item()) for tensor in tensors)
