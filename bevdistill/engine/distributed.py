"""Start-up of several processes, on machines with and without an accelerator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from mmengine.config import Config
from mmengine.device import get_device

_TORCHRUN = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')


@contextmanager
def distributed_run(cfg: Config) -> Iterator[None]:
    """Prepare a config for its launcher, and close the processes' group at the end.

    With an accelerator mmengine does all of it. Without one, its start-up would set a CUDA device and its wrapper
    would pass device numbers: here the group is started with gloo before the runner is built, and the wrapper is
    told that there are no devices.

    Args:
        cfg: Config with ``launcher``; ``model_wrapper_cfg`` is filled in on a CPU.

    Raises:
        ValueError: If the launcher's variables are missing, or the launcher cannot run on a CPU.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none':
        yield
        return
    _check_environment(launcher)
    if get_device() == 'cpu':
        if not dist.is_initialized():
            dist.init_process_group('gloo')
        _wrap_without_devices(cfg)
    try:
        yield
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _check_environment(launcher: str) -> None:
    missing = [name for name in _TORCHRUN if name not in os.environ]
    if launcher == 'pytorch' and missing:
        raise ValueError(
            f'--launcher pytorch needs the variables {missing}: start with '
            'torchrun --nproc_per_node=N tools/train.py CONFIG --launcher pytorch'
        )
    if launcher != 'pytorch' and get_device() == 'cpu':
        raise ValueError(f"--launcher {launcher} needs GPUs; on a CPU use torchrun with '--launcher pytorch'")


def _wrap_without_devices(cfg: Config) -> None:
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    wrapper.setdefault('broadcast_buffers', False)
    wrapper.setdefault('find_unused_parameters', cfg.get('find_unused_parameters', False))
    wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper
