"""Wrap a model for several processes on CPUs, and unwrap it."""

from __future__ import annotations

from typing import Any

from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from .batch_norm import synchronise_batch_norms


# In mmengine's own registry, where its runner looks wrappers up.
@MODEL_WRAPPERS.register_module()
class HostDistributedDataParallel(MMDistributedDataParallel):
    """DDP among processes on CPUs.

    Args:
        module: The model.
        sync_bn: Let batch norms see the batches of all ranks. Torch's own synchronised batch norm, to which mmengine
            converts for ``sync_bn='torch'``, runs on GPUs only; here
            :class:`~bevdistill.distributed.batch_norm.RankBatchNorm` takes its place.
        device_ids: Not used; mmengine's runner names the device of each process, and there is none.
        **kwargs: Of DDP.
    """

    def __init__(
        self, module: nn.Module, sync_bn: bool = False, device_ids: list[int] | None = None, **kwargs: Any
    ) -> None:
        del device_ids
        super().__init__(synchronise_batch_norms(module) if sync_bn else module, device_ids=None, **kwargs)


def unwrap_model(model: nn.Module) -> nn.Module:
    """Return a model without its wrapper for distributed training; a bare model is returned itself."""
    inner: nn.Module = model.module if is_model_wrapper(model) else model  # type: ignore[assignment]
    return inner
