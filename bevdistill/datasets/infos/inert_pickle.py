"""Read pickles of plain containers and numpy arrays; whatever else a pickle names is refused, and nothing is run."""

from __future__ import annotations

import io
import math
import pickle
import re
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CODE = re.compile(r'[<>|=]?([biufc]\d{1,2}|[SU]\d{0,4}|\?)')
_ARRAYS = ('numpy', 'numpy.core', 'numpy.core.multiarray', 'numpy.core.numeric', 'numpy._core',
           'numpy._core.multiarray', 'numpy._core.numeric')  # fmt: skip


class NotPlainPickleError(ValueError):
    """A pickle that names something beside plain containers and arrays of numbers or text."""


class _Dtype:
    """Number type as a pickle describes it; numpy's own restores any state, also one that reads foreign memory."""

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise NotPlainPickleError(f'an array of type {code!r}; expected numbers or text')
        self.numpy: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, parts = state[1], state[2:5]
        if order not in ('<', '>', '|', '=') or any(part is not None for part in parts):
            raise NotPlainPickleError('an array of records; expected numbers or text')
        self.numpy = self.numpy.newbyteorder(order)


class _Array(np.ndarray[Any, Any]):
    """Array whose content is checked before numpy takes it."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        checked = _checked(raw, dtype, shape, 'F' if fortran else 'C')
        plain: Any = 1, checked.shape, checked.dtype, False, checked.tobytes()
        super().__setstate__(plain)


def _checked(raw: Any, dtype: Any, shape: Any, order: Any = 'C') -> NDArray[Any]:
    """Make a writable array of bytes."""
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes | bytearray | memoryview | pickle.PickleBuffer):
        raise NotPlainPickleError('an array of objects; expected numbers or text')
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    wanted = math.prod(sizes) * dtype.numpy.itemsize
    if any(type(size) is not int or size < 0 for size in sizes) or wanted != memoryview(raw).nbytes:
        raise NotPlainPickleError(f'an array of shape {shape} that does not fit its content')
    if not wanted:
        return np.zeros(sizes, dtype.numpy)
    return np.frombuffer(memoryview(raw), dtype.numpy).reshape(sizes, order='F' if order == 'F' else 'C').copy()


def _array(*_: object) -> _Array:
    return np.ndarray.__new__(_Array, (0,), 'b')


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any = 'C') -> NDArray[Any]:
    return _checked(raw, dtype, shape, order)


def _scalar(dtype: Any, raw: Any) -> Any:
    return _checked(raw, dtype, 1)[0].item()


def _encode(text: str, encoding: str = 'latin1') -> bytes:
    """Return the bytes that protocols 0 to 2 write as text."""
    if not isinstance(text, str) or encoding != 'latin1':
        raise NotPlainPickleError(f'a text of encoding {encoding!r}')
    return text.encode('latin1')


_BUILTINS = (bool, bytearray, bytes, complex, dict, float, frozenset, int, list, set, slice, str, tuple)
_KNOWN: dict[tuple[str, str], Any] = {
    ('collections', 'OrderedDict'): OrderedDict,
    ('_codecs', 'encode'): _encode,
    ('numpy', 'dtype'): _Dtype,
    ('numpy', 'ndarray'): 'ndarray',
    **{(module, kind.__name__): kind for module in ('builtins', '__builtin__') for kind in _BUILTINS},
    **{(module, '_reconstruct'): _array for module in _ARRAYS},
    **{(module, '_frombuffer'): _frombuffer for module in _ARRAYS},
    **{(module, 'scalar'): _scalar for module in _ARRAYS},
}


class _Reader(pickle.Unpickler):
    arrays = False

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise NotPlainPickleError(f'{module}.{name}')
        self.arrays = self.arrays or module in _ARRAYS
        return _KNOWN[module, name]


def plain_unpickle(content: bytes) -> Any:
    """Read a pickle of dicts, lists, tuples, sets, numbers, text and numpy arrays of numbers or text.

    Args:
        content: The pickle.

    Raises:
        NotPlainPickleError: If it names any other class or function; the message names it. Nothing is run.
        ValueError: If it is damaged.
    """
    reader = _Reader(io.BytesIO(content))
    try:
        value = reader.load()
    except NotPlainPickleError:
        raise
    except Exception as error:  # A damaged pickle can fail in any way.
        raise ValueError(f'{type(error).__name__}: {error}'.splitlines()[0]) from error
    return _without_marks(value, {}) if reader.arrays else value


def _without_marks(value: Any, done: dict[int, Any]) -> Any:
    """Turn checked arrays into numpy's own type, in place; `done` holds the containers that were walked."""
    if isinstance(value, _Array):
        return value.view(np.ndarray)
    if isinstance(value, dict | list) and id(value) not in done:
        done[id(value)] = value
        for key in value if isinstance(value, dict) else range(len(value)):
            value[key] = _without_marks(value[key], done)
    if type(value) is tuple and any(isinstance(entry, dict | list | tuple | _Array) for entry in value):
        if id(value) not in done:
            done[id(value)] = tuple(_without_marks(entry, done) for entry in value)
        return done[id(value)]
    return value
