"""Log optimizers in one line, and train in bfloat16 on any device."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmdet3d.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from mmengine.logging import MMLogger, print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIMIZERS
from mmengine.runner.amp import autocast
from torch import nn
from torch.optim import Optimizer

from ..for_people import counted

_NOISE = ('paramwise_options -- ', 'is skipped since its requires_grad=False')


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Forward pass under autocast in bfloat16, on any device.

    bfloat16 has the exponents of float32, so gradients neither vanish nor need a loss scale.

    Note:
        mmengine's ``AmpOptimWrapper`` refuses machines without a GPU, and scales losses in bfloat16 as well.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no synchronisation of gradients while they are accumulated."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SummaryOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's default constructor with a log of one line in place of three per parameter.

    AdamW for weights on CUDA takes its step in one kernel per group, unless the config says ``fused=False``. mmengine
    makes a group of each parameter; here those that follow each other with the same settings are one.

    Args:
        optim_wrapper_cfg: Config of the optimizer wrapper.
        paramwise_cfg: Options by parameter, of mmengine's constructor.

    Raises:
        ValueError: When it is called, if an entry of ``custom_keys`` is part of no parameter's name: such an entry
            changes nothing, and a learning rate would be another than the config says; or if there is no such
            optimizer.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Make the optimizer wrapper of a model."""
        bare: nn.Module = getattr(model, 'module', model)
        names = [name for name, _ in bare.named_parameters()]
        unused = [key for key in self.paramwise_cfg.get('custom_keys', {}) if not any(key in name for name in names)]
        if unused:
            raise ValueError(
                f'paramwise_cfg.custom_keys has {unused}, which no parameter has in its name; the parameters belong to '
                f'{sorted({".".join(name.split(".")[:2]) for name in names})}'
            )
        kind = self.optimizer_cfg.get('type')
        if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
            raise ValueError(f"optim_wrapper.optimizer: there is no optimizer '{kind}'")
        if kind == 'AdamW' and all(weight.is_cuda for weight in bare.parameters()):
            self.optimizer_cfg.setdefault('fused', True)
        with _without(_NOISE):
            wrapper = super().__call__(model)
        print_log(summary(wrapper.optimizer, bare), 'current')
        return wrapper

    def add_params(
        self, params: list[dict[str, Any]], module: nn.Module, prefix: str = '', is_dcn_module: float | None = None
    ) -> None:
        """Add the groups of a module, joined where it is the whole model; parameters keep their order."""
        super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:
            params[:] = joined_groups(params)


def joined_groups(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join groups of parameters that follow each other and have equal settings."""
    joined: list[dict[str, Any]] = []
    for group in groups:
        if joined and {**joined[-1], 'params': None} == {**group, 'params': None}:
            joined[-1]['params'] += group['params']
        else:
            joined.append({**group, 'params': list(group['params'])})
    return joined


def summary(optimizer: Optimizer, model: nn.Module) -> str:
    """Count the numbers of a model by learning rate and weight decay, and the frozen ones."""
    numbers: Counter[str] = Counter()
    tensors: Counter[str] = Counter()
    for group in optimizer.param_groups:
        options = f'lr {group["lr"]:g}, weight decay {group.get("weight_decay", 0):g}'
        trained = [parameter for parameter in group['params'] if parameter.requires_grad]
        numbers[options] += sum(parameter.numel() for parameter in trained)
        tensors[options] += len(trained)
    parts = [
        f'{numbers[kind]:,} numbers in {counted(count, "tensor")} at {kind}' for kind, count in tensors.items() if count
    ]
    frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    return f'{type(optimizer).__name__}: ' + '; '.join([*parts, *([f'{frozen:,} frozen'] if frozen else [])])


@contextmanager
def _without(noise: Sequence[str]) -> Iterator[None]:
    """Drop log records that contain one of these texts."""

    def other(record: logging.LogRecord) -> bool:
        return not any(text in str(record.msg) for text in noise)

    logger: Any = MMLogger.get_current_instance()
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)
