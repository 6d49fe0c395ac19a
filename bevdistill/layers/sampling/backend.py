"""Which code samples the tensors of a device."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Literal, get_args

from torch import Tensor

Backend = Literal['host', 'triton', 'reference', 'mmcv', 'grid']
Lists = Literal['seen', 'all', 'padded']
"""Pairs of camera and query in a list: those that see one another; all, query after query, of which the unseen ones are
skipped where the kernel meets them; or as many of each camera as the fullest one has."""

BACKENDS: tuple[Backend, ...] = get_args(Backend)
VARIABLE = 'BEVDISTILL_SAMPLING'
"""Environment variable that chooses the backend of tensors on an accelerator."""

_chosen: list[Backend] = []


def backend_of(tensor: Tensor) -> Backend:
    """Name the backend that samples a tensor.

    The host's kernels on a CPU; on CUDA what :data:`VARIABLE` says, by default Triton or, where Triton cannot be
    imported, torch's operators; torch's operators elsewhere. :func:`use_backend` overrules all of it.

    Raises:
        ValueError: If the variable names no backend, or one that does not work on this device.
    """
    if _chosen:
        return _chosen[-1]
    device = tensor.device.type
    if device == 'cpu':
        return 'host'
    wanted = os.environ.get(VARIABLE)
    if wanted:
        allowed = ('triton', 'mmcv', 'reference') if device == 'cuda' else ('reference',)
        if wanted not in allowed:
            raise ValueError(f"{VARIABLE}='{wanted}': tensors on {device} are sampled by one of {', '.join(allowed)}")
        if wanted == 'mmcv' and not mmcv_has_cuda():
            raise ValueError(f"{VARIABLE}='mmcv': this mmcv was built without CUDA operators; unset it or rebuild mmcv")
        return wanted  # type: ignore[return-value]
    return 'triton' if device == 'cuda' and _has_triton() else 'reference'


def lists_of(tensor: Tensor) -> Lists:
    """Tell which pairs of camera and query the tensor's backend wants in a list."""
    lists: dict[Backend, Lists] = {
        'host': 'seen', 'reference': 'seen', 'triton': 'all', 'mmcv': 'padded', 'grid': 'all'
    }
    return lists[backend_of(tensor)]


@cache
def mmcv_has_cuda() -> bool:
    """Whether mmcv was built with its CUDA operators."""
    built: str = import_module('mmcv.ops').get_compiling_cuda_version()
    return built != 'not available'


@contextmanager
def use_backend(name: Backend) -> Iterator[None]:
    """Sample everything inside by one backend, whatever the device: for comparisons, and `grid` for export.

    Raises:
        ValueError: If there is no such backend.
    """
    if name not in BACKENDS:
        raise ValueError(f"no sampling backend '{name}'; there are {', '.join(BACKENDS)}")
    _chosen.append(name)
    try:
        yield
    finally:
        _chosen.pop()


@cache
def _has_triton() -> bool:
    """Whether Triton can be imported; says once what its absence means."""
    try:
        import_module('triton')
    except ImportError as error:
        logging.getLogger('mmengine').warning(
            f'Triton cannot be imported ({error}): deformable attention is sampled by plain torch operators, which '
            'take more memory and time. `pip install triton`, in the version that this torch asks for'
        )
        return False
    return True
