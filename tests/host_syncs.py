"""Counts where a computation would make the host wait for a GPU. Runs on any device, also where there is no GPU.

Two layers of torch are watched. Its dispatcher sees what reads numbers of a tensor or makes a tensor whose size depends
on them. Its Python functions show what moves data between host and device in a way that waits; on a CPU these moves are
not made, but they are asked for.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

REPO = Path(__file__).resolve().parents[1]
HERE = str(Path(__file__).resolve())
READS = {
    '_local_scalar_dense': 'item, bool, int or float of a tensor',
    'nonzero': 'nonzero',
    'masked_select': 'masked_select',
    '_unique2': 'unique',
    'unique_dim': 'unique',
    'unique_consecutive': 'unique',
    'bincount': 'bincount',
    'equal': 'equal',
}
FETCHES = ('cpu', 'tolist')
UPLOADS = ('tensor', 'new_tensor')


class HostSyncs:
    """What was counted: kind and place, the place being the innermost line of this repository."""

    def __init__(self) -> None:
        self.places: Counter[str] = Counter()

    @property
    def number(self) -> int:
        """All of them."""
        return sum(self.places.values())

    def add(self, kind: str) -> None:
        """Count one, here."""
        frame: Any = sys._getframe(1)
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(str(REPO)) and '.venv' not in file and file != HERE:
                break
            frame = frame.f_back
        place = 'elsewhere' if frame is None else f'{Path(file).relative_to(REPO)}:{frame.f_lineno}'
        self.places[f'{kind} at {place}'] += 1

    def __str__(self) -> str:
        return '\n'.join(f'{count} x {place}' for place, count in self.places.most_common()) or 'none'


class _Reads(TorchDispatchMode):
    """Operators that read numbers, or whose result has a size that depends on numbers."""

    def __init__(self, found: HostSyncs) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in READS:
            self.found.add(READS[name])
        elif name == 'repeat_interleave' and kwargs.get('output_size') is None:
            self.found.add('repeat_interleave without output_size')
        elif name in ('index', 'index_put', 'index_put_') and any(_is_mask(index) for index in args[1]):
            self.found.add('indexing with a mask')
        elif name == '_to_copy' and _leaves_device(args[0], kwargs.get('device')):
            self.found.add('copy to the host')
        return func(*args, **kwargs)


class _Moves(TorchFunctionMode):
    """Calls that move data between host and device and wait for it."""

    def __init__(self, found: HostSyncs) -> None:
        super().__init__()
        self.found = found
        self.from_host: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, '__name__', '')
        if name in FETCHES:
            self.found.add(name)
        elif name in UPLOADS or (name == 'as_tensor' and not isinstance(args[0], Tensor)):
            self.found.add(f'upload by {name}')
        elif name in ('__getitem__', '__setitem__') and _has_list(args[1]):
            self.found.add('upload of a list of indices')
        elif name == 'to' and self._uploads(args, kwargs):
            self.found.add('upload that is waited for')
        return func(*args, **kwargs)


    def _uploads(self, args: Any, kwargs: Any) -> bool:
        """Whether `to` moves an array of the host to a device and waits."""
        moved = 'device' in kwargs or any(isinstance(part, str | torch.device | Tensor) for part in args[1:])
        return moved and any(args[0] is made for made in self.from_host) and not kwargs.get('non_blocking')


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)


def _has_list(index: Any) -> bool:
    return any(isinstance(part, list | np.ndarray) for part in (index if isinstance(index, tuple) else (index,)))


def _leaves_device(tensor: Tensor, device: torch.device | None) -> bool:
    return device is not None and torch.device(device).type == 'cpu' and tensor.device.type != 'cpu'


@contextmanager
def count_host_syncs() -> Iterator[HostSyncs]:
    """``with count_host_syncs() as syncs: ...``, then ``syncs.number`` and ``str(syncs)``."""
    found = HostSyncs()
    moves = _Moves(found)
    from_numpy = torch.from_numpy

    def marked(array: np.ndarray) -> Tensor:
        moves.from_host.append(from_numpy(array))
        return moves.from_host[-1]

    # Torch does not tell its modes about this function.
    with mock.patch.object(torch, 'from_numpy', marked), moves, _Reads(found):
        yield found
