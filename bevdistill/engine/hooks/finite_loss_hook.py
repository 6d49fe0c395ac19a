"""Stop a run at once when its loss, a gradient or a weight is NaN or infinite, and name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from ...checkpoints.damage import not_finite_names
from ...distributed.wrappers import unwrap_model

_SAVED = ('state_dict', 'ema_state_dict')


class NotFiniteError(FloatingPointError, ValueError):
    """A loss, a gradient or a weight of a training is NaN or infinite; the message says which."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop before the optimizer step if a loss term, a gradient or a weight is NaN or infinite; save no such weight.

    A forward hook of torch computes whether the loss terms are finite, a hook of the optimizer does so for gradients
    and weights; the step waits for all of it in one transfer to the host. So the weights and the last checkpoint stay
    good. What is about to be saved is looked at too: a step of too large a rate can break weights by itself.

    The same transfer brings what is logged of the iteration: the loss terms, which :class:`.LoggedNumbersHook` hands
    on, and the norm of the clipped gradients, for which mmengine's optimizer wrapper would wait once more.

    Note:
        Under float16 a gradient that overflows is the loss scaler's business, which skips that step. Losses are looked
        at all the same, after the iteration.
    """

    def __init__(self) -> None:
        self._samples: list[str] = []
        self._losses: Mapping[str, Any] = {}
        self._flags: dict[str, list[Tensor]] = {}
        self._norms: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []
        self._clippers: list[tuple[Any, Any]] = []
        self._numbers: dict[str, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Look at every forward pass with ``mode='loss'`` and at every step."""
        self._release()

        def look(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if kwargs.get('mode') == 'loss' and isinstance(output, Mapping):
                self._losses, self._flags = output, finite_flags(output)

        self._handles.append(unwrap_model(runner.model).register_forward_hook(look, with_kwargs=True))
        for wrapper in _wrappers(runner.optim_wrapper):
            before = wrapper.optimizer.register_step_pre_hook(lambda own, *_: self._before_step(runner, own))
            self._handles.append(before)
            if getattr(wrapper, 'clip_grad_kwargs', None):
                self._clippers.append((wrapper, wrapper.clip_func))
                wrapper.clip_func = self._keeping_norm(wrapper.clip_func, f'train/{wrapper.grad_name}')

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Remember which samples this iteration sees."""
        self._numbers = {}
        self._samples = sample_names(data_batch)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Look at the losses of an iteration without a step: gradients accumulate, or the scaler skipped it."""
        self._check(runner, {})

    def numbers(self, runner: Runner) -> dict[str, float]:
        """Return what is logged of this iteration's losses, after the check that :meth:`after_train_iter` makes.

        Raises:
            NotFiniteError: If a loss term is NaN or infinite.
        """
        self._check(runner, {})
        numbers, self._numbers = self._numbers, {}
        return numbers

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Refuse to save weights that are NaN or infinite.

        Raises:
            NotFiniteError: With their names; the checkpoints before stay.
        """
        trained = dict(unwrap_model(runner.model).named_parameters())
        for part in _SAVED:
            names = not_finite_names(checkpoint.get(part, {}), trained)
            if names:
                self._stop(runner, f'{part} has NaN or infinite weights ({_few(names)})', 'it is not saved')

    def after_train(self, runner: Runner) -> None:
        """Leave model and optimizer as they were."""
        self._release()

    def _release(self) -> None:
        while self._handles:
            self._handles.pop().remove()
        for wrapper, clip in self._clippers:
            wrapper.clip_func = clip
        self._clippers.clear()

    def _keeping_norm(self, clip: Callable[..., Tensor | None], name: str) -> Callable[..., None]:
        """Clip gradients, and keep the norm on its device: of what is returned, the caller makes a number at once."""

        def clip_and_keep(*args: Any, **kwargs: Any) -> None:
            norm = clip(*args, **kwargs)
            if norm is not None:
                self._norms[name] = norm

        return clip_and_keep

    def _before_step(self, runner: Runner, optimizer: Optimizer) -> None:
        # Set by the loss scaler for optimizers that skip by themselves what has overflowed.
        if getattr(optimizer, 'found_inf', None) is not None:
            return
        weights = [weight for group in optimizer.param_groups for weight in group['params'] if weight.grad is not None]
        gradients = [weight.grad for weight in weights]
        self._check(runner, {'gradient': gradients, 'weight': [weight.detach() for weight in weights]})

    def _check(self, runner: Runner, tensors: Mapping[str, list[Tensor]]) -> None:
        flags = dict(self._flags) | {kind: [_all_finite(found)] for kind, found in tensors.items() if found}
        losses, self._losses, self._flags = self._losses, {}, {}
        logged = self._norms | _logged(runner, losses)
        norms, self._norms = self._norms, {}
        names = [name for name, found in flags.items() for _ in found]
        if not names and not logged:
            return
        watched = [flag for found in flags.values() for flag in found]
        finite, numbers = _fetched(watched, list(logged.values()))
        self._numbers |= dict(zip(logged, numbers, strict=True))
        for name in norms:
            runner.message_hub.update_scalar(name, self._numbers.pop(name))
        broken = list(dict.fromkeys(name for name, good in zip(names, finite, strict=True) if not good))
        terms = [name for name in broken if name in losses]
        if terms:
            fine = [name for name in losses if 'loss' in name and name not in terms]
            shown = ', '.join(f'{name} = {_shown(losses[name])}' for name in terms)
            self._stop(runner, f'the loss is not finite: {shown}. Finite terms: {", ".join(fine) or "none"}')
        for kind in broken:
            self._stop(runner, f'a {kind} is not finite: {_few(_named(runner, kind))}')

    def _stop(self, runner: Runner, what: str, kept: str = 'No step was taken with it') -> None:
        message = (
            f'iteration {runner.iter + 1} (epoch {runner.epoch + 1}, rank {get_rank()}): {what}. '
            f'Samples: {", ".join(self._samples) or "unnamed"}. '
            f'{kept}. Lower the learning rate or the weight of the term, or look at these samples; '
            'if all broke at once, the step before broke the weights. --resume goes on from the last checkpoint'
        )
        runner.logger.error(message)
        raise NotFiniteError(message)


def finite_flags(losses: Mapping[str, Any]) -> dict[str, list[Tensor]]:
    """Compute on their devices whether the trained terms (those with 'loss' in the name) are finite."""
    return {
        name: [torch.isfinite(tensor.detach()).all() for tensor in ([value] if isinstance(value, Tensor) else value)]
        for name, value in losses.items()
        if 'loss' in name
    }


def sample_names(data_batch: Any) -> list[str]:
    """Tokens of the samples in a batch as the data loader gives it, or their indices where they have none."""
    samples = data_batch.get('data_samples', []) if isinstance(data_batch, Mapping) else []
    names = []
    for sample in samples if isinstance(samples, list | tuple) else []:
        metainfo = getattr(sample, 'metainfo', {})
        names.append(str(metainfo.get('token', metainfo.get('sample_idx', 'unnamed'))))
    return names


def _all_finite(tensors: list[Tensor]) -> Tensor:
    """Tell whether all numbers are finite: the largest of them is NaN or infinite as soon as one is."""
    filled = [tensor for tensor in tensors if tensor.numel()]
    largest = [norm.to(tensors[0].device, torch.float32) for norm in torch._foreach_norm(filled, torch.inf)]
    return torch.isfinite(torch.stack(largest)).all() if largest else torch.tensor(True)


def _named(runner: Runner, kind: str) -> list[str]:
    weights = dict(unwrap_model(runner.model).named_parameters())
    tensors = {name: weight.grad if kind == 'gradient' else weight for name, weight in weights.items()}
    return not_finite_names(tensors, weights)


def _few(names: list[str], count: int = 3) -> str:
    return ', '.join(names[:count]) + (f' and {len(names) - count} more' if len(names) > count else '')


@torch.no_grad()
def _logged(runner: Runner, losses: Mapping[str, Any]) -> dict[str, Tensor]:
    """What the model makes of loss terms to be logged, on their device; its training step has done the same."""
    model: Any = unwrap_model(runner.model)
    return dict(model.parse_losses(losses)[1]) if losses else {}


@torch.no_grad()
def _fetched(flags: list[Tensor], numbers: list[Tensor]) -> tuple[list[bool], list[float]]:
    """Bring flags and numbers to the host together; float64 holds each exactly where the device has it."""
    device = (flags or numbers)[0].device
    dtype = torch.float32 if device.type == 'mps' else torch.float64
    values = torch.stack([tensor.detach().reshape(()).to(device, dtype) for tensor in (*flags, *numbers)]).tolist()
    return [bool(flag) for flag in values[: len(flags)]], values[len(flags) :]


def _wrappers(wrapper: Any) -> list[Any]:
    """An optimizer wrapper, or those of a dict of them."""
    return [wrapper] if hasattr(wrapper, 'optimizer') else list(wrapper.values())


def _shown(value: Any) -> str:
    tensors = [value] if isinstance(value, Tensor) else list(value)
    return ', '.join(str(tensor.detach().mean().item()) for tensor in tensors)
