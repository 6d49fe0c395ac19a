"""Register mmpretrain's image backbones: a config that uses one, such as ``mmpretrain.ConvNeXt``, imports this module.

::

    custom_imports = dict(imports=['bevdistill', 'bevdistill.students.mmpretrain_backbones'])

mmpretrain imports torchvision for transforms and metrics that no detector uses. torchvision has to fit the build of
torch (its wheel from the plain index does not import beside a torch for CPUs), so it is no requirement of this package.
No single backbone can be imported alone, since importing any module of ``mmpretrain.models`` imports them all. Where
torchvision does not import, placeholders of the modules that mmpretrain names stand in ``sys.modules`` for the
duration of that import, and are removed after it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

TORCHVISION = (
    'torchvision',
    'torchvision.ops',
    'torchvision.ops.boxes',
    'torchvision.transforms',
    'torchvision.transforms.functional',
    'torchvision.transforms.transforms',
)


class _Placeholder(ModuleType):
    """A module in which every name is an empty class."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return type(name, (), {})


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition('.')[0] == package]:
        del sys.modules[name]


@contextmanager
def placeholders(names: Sequence[str]) -> Iterator[bool]:
    """Replace a package by empty modules within the context, if it does not import.

    Args:
        names: The package, then those of its modules that are imported within the context.

    Yields:
        Whether it is replaced. All placeholders are removed afterwards, so that a later import fails as before.
    """
    package = names[0]
    try:
        importlib.import_module(package)
    except (ImportError, RuntimeError, OSError):
        # RuntimeError and OSError: installed, but for another build of torch.
        _forget(package)
    else:
        yield False
        return
    modules = {name: _Placeholder(name) for name in names}
    sys.modules.update(modules)
    for name in names[1:]:
        parent, _, child = name.rpartition('.')
        setattr(modules[parent], child, modules[name])
    try:
        yield True
    finally:
        _forget(package)


def _import_backbones() -> None:
    with placeholders(TORCHVISION):
        try:
            importlib.import_module('mmpretrain.models')
        except ModuleNotFoundError as error:
            raise ImportError(
                f"the config has an image backbone of mmpretrain, which lacks '{error.name}' here; install it with "
                "pip install 'bevdistill[backbones]'"
            ) from error


_import_backbones()
