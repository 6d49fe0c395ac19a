"""Convert checkpoint entries to plain data, so that ``torch.load(weights_only=True)`` reads every checkpoint."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_BUFFER = '__history_buffer__'
_ARRAY = '__array__'
_AS_IT_IS = (torch.Tensor, torch.dtype, torch.device, torch.Size)
_BUILTIN: tuple[type[Any], ...] = (bool, int, float, str, bytes)


class NotPlainError(TypeError):
    """A value that cannot be written as plain data; the message says where it is."""


def to_plain(value: Any, where: str) -> Any:
    """Turn nested values into dicts, lists, tuples, sets, numbers, strings and tensors.

    A value that is plain already is returned itself, so that an ordered dict of weights keeps its version
    information. Arrays and log histories become tagged dicts that :func:`from_plain` turns back.

    Args:
        value: Anything that a checkpoint holds.
        where: Name of the value, for the error.

    Raises:
        NotPlainError: If a value has no plain form.
    """
    if value is None or type(value) in _BUILTIN:  # Nearly all there is: first.
        return value
    if isinstance(value, HistoryBuffer):
        logs, counts = value.data
        return {_BUFFER: [torch.from_numpy(logs.copy()), torch.from_numpy(counts.copy()), int(value.max_length)]}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.kind in 'biuf':
            return {_ARRAY: torch.from_numpy(np.ascontiguousarray(value))}
        return to_plain(value.tolist(), where)
    if isinstance(value, _AS_IT_IS):
        return value
    for kind in _BUILTIN:  # A subclass: an enumeration, an index with a seed.
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return _plain_dict(value, where)
    if isinstance(value, list | tuple | set | frozenset | deque):
        return _plain_sequence(value, where)
    raise NotPlainError(f'{where} is a {type(value).__module__}.{type(value).__qualname__}, which has no plain form')


def from_plain(value: Any) -> Any:
    """Turn tagged dicts back into log histories and arrays, the inverse of :func:`to_plain`."""
    if isinstance(value, dict):
        if len(value) == 1 and _BUFFER in value:
            logs, counts, max_length = value[_BUFFER]
            return HistoryBuffer(logs.cpu().numpy(), counts.cpu().numpy(), max_length)
        if len(value) == 1 and _ARRAY in value:
            return value[_ARRAY].cpu().numpy()
        back = {key: from_plain(entry) for key, entry in value.items()}
        return value if all(back[key] is entry for key, entry in value.items()) else back
    if type(value) in (list, tuple):
        return type(value)(from_plain(entry) for entry in value)
    return value


def _plain_dict(value: Mapping[Any, Any], where: str) -> Mapping[Any, Any]:
    plain = {to_plain(key, f'a key of {where}'): to_plain(entry, f'{where}.{key}') for key, entry in value.items()}
    unchanged = type(value) in (dict, OrderedDict) and all(plain.get(key) is entry for key, entry in value.items())
    return value if unchanged else plain


def _plain_sequence(value: Any, where: str) -> Any:
    kind = next((kind for kind in (tuple, set, frozenset) if isinstance(value, kind)), list)
    plain = kind(to_plain(entry, f'{where}.{index}') for index, entry in enumerate(value))
    return set(plain) if kind is frozenset else plain
