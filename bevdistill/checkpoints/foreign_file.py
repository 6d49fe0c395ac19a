"""Read checkpoints of other people without running code that they hold."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

from .damage import DamagedCheckpointError, read_whole
from .refusal import reason_of

_DTYPES = {name for name, value in vars(torch).items() if type(value) is torch.dtype}
_TRUSTED = {
    'collections': {'OrderedDict'},
    'torch': {'Size', 'device', *_DTYPES},
    'torch._utils': {'_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter'},
    'torch.nn.parameter': {'Parameter'},
    'torch.serialization': {'_get_layout'},
}
_BUILTINS = {kind.__name__: kind for kind in (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)}


class ForeignCheckpoint(NamedTuple):
    """Content of a checkpoint file.

    Args:
        content: The dict that was saved.
        left_out: Classes and functions that the file names beside tensors and plain data. In the place of what they
            would have made stand objects without content.
    """

    content: dict[str, Any]
    left_out: list[str]

    @property
    def weights(self) -> dict[str, Any]:
        """Return the tensors by name: the entry ``state_dict`` or ``model``, or all of it in a file of bare weights."""
        model = self.content.get('model')
        rest = model if isinstance(model, dict) else self.content
        weights: dict[str, Any] = self.content.get('state_dict', rest)
        return weights

    @property
    def meta(self) -> dict[str, Any]:
        """Return the meta data, empty where there are none."""
        meta = self.content.get('meta')
        return meta if isinstance(meta, dict) else {}


def read_foreign_checkpoint(path: str | Path) -> ForeignCheckpoint:
    """Read tensors and plain data of a checkpoint; nothing in the file is run.

    Public checkpoints from before torch 2.6 may hold objects (numbers of numpy, a config), which
    ``torch.load(weights_only=True)`` refuses as a whole. Such objects are skipped here, so that the weights can be had
    without trusting the file.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, or damaged.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f'there is no checkpoint {file}')
    left_out: list[str] = []
    try:
        try:
            content = read_whole(file)
        except pickle.UnpicklingError:
            reader = _inert_pickle(left_out)
            content = torch.load(file, map_location='cpu', weights_only=False, pickle_module=reader)
    except (DamagedCheckpointError, OSError):
        raise
    except Exception as error:  # The reader of a file that is no checkpoint can fail in any way.
        raise ValueError(f'{file} is not a checkpoint of torch, or it is damaged ({reason_of(error)})') from None
    if not isinstance(content, dict) or not isinstance(content.get('state_dict', {}), dict):
        raise ValueError(f'{file} holds no weights by name, so it is not a checkpoint')
    return ForeignCheckpoint(content, sorted(set(left_out)))


def weights_below(weights: Mapping[str, Any], prefix: str) -> OrderedDict[str, Any]:
    """Select weights by a prefix of their names, and drop it.

    The versions of modules, which torch keeps beside the weights, come along: mmdet3d tells by them whether a sparse
    kernel still has to be turned.

    Args:
        weights: From name to tensor.
        prefix: Ends with a dot.
    """
    below = OrderedDict(
        (name.removeprefix(prefix), value) for name, value in weights.items() if name.startswith(prefix)
    )
    versions = getattr(weights, '_metadata', None)
    if versions is not None:
        below._metadata = OrderedDict(  # type: ignore[attr-defined]
            (f'{name}.'.removeprefix(prefix).removesuffix('.'), version)
            for name, version in versions.items()
            if f'{name}.'.startswith(prefix)
        )
    return below


class _Nothing:
    """Placeholder for a class or function that is not known to be harmless; accepts and ignores all calls."""

    def __new__(cls, *args: object, **kwargs: object) -> _Nothing:
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __call__(self, *args: object, **kwargs: object) -> _Nothing:
        return self

    def _swallow(self, *args: object) -> None:
        pass

    __setstate__ = __setitem__ = append = extend = add = _swallow


def _inert_pickle(left_out: list[str]) -> ModuleType:
    """Build a stand-in of the module ``pickle`` for ``torch.load``, which lists in `left_out` what it did not load."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module in ('builtins', '__builtin__') and name in _BUILTINS:
                return _BUILTINS[name]
            if name in _TRUSTED.get(module, ()):
                return super().find_class(module, name)
            left_out.append(f'{module}.{name}')
            return type(name, (_Nothing,), {})

    def load(file: Any, **kwargs: Any) -> Any:
        return Unpickler(file, **kwargs).load()

    module = ModuleType('inert_pickle')
    vars(module).update(Unpickler=Unpickler, load=load)
    return module
