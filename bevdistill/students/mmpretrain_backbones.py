"""Image backbones of mmpretrain: a config that uses one, such as ``mmpretrain.ConvNeXt``, names this module.

::

    custom_imports = dict(imports=['bevdistill', 'bevdistill.students.mmpretrain_backbones'])

mmpretrain imports torchvision for its own transforms and metrics, none of which a detector uses. torchvision has to fit
the build of torch (its wheel from the plain index does not import beside a torch for CPUs), so it is no requirement of
this package. Where it does not import, mmpretrain is given an empty stand-in for as long as its own import lasts.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ABSENT = 'torchvision'


class _EmptyModule(ModuleType):
    """A module in which every name is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return type(name, (), {})


class _EmptyPackage(MetaPathFinder, Loader):
    """Finds every module of one package, empty."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        mine = fullname.partition('.')[0] == self.package
        return ModuleSpec(fullname, self, is_package=True) if mine else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _EmptyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition('.')[0] == package]:
        del sys.modules[name]


@contextmanager
def stand_in(package: str) -> Iterator[bool]:
    """Have an empty package of this name inside the context, if the real one does not import.

    Args:
        package: Name of the package.

    Yields:
        Whether it is a stand-in. Afterwards nothing of one is left, so whoever asks for the package later learns that
        it is absent.
    """
    try:
        importlib.import_module(package)
    except (ImportError, RuntimeError, OSError):
        # RuntimeError and OSError: there is one, for another build of torch.
        _forget(package)
    else:
        yield False
        return
    finder = _EmptyPackage(package)
    sys.meta_path.insert(0, finder)
    try:
        yield True
    finally:
        sys.meta_path.remove(finder)
        _forget(package)


def _import_backbones() -> None:
    with stand_in(ABSENT):
        try:
            importlib.import_module('mmpretrain.models')
        except ModuleNotFoundError as error:
            raise ImportError(
                f"the config has an image backbone of mmpretrain, which lacks '{error.name}' here; install it with "
                "pip install 'bevdistill[backbones]'"
            ) from error


_import_backbones()
