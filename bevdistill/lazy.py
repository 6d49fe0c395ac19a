"""Import the public names of a package when they are first used (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_names(package: str) -> Callable[[str], Any]:
    """Make the module ``__getattr__`` of a package whose ``__init__.py`` imports nothing when it runs.

    The file lists its imports once, where type checkers and readers look for them::

        if TYPE_CHECKING:
            from .module import Name

        __getattr__ = lazy_names(__name__)

    A name below ``if TYPE_CHECKING:`` is imported from its module when it is first asked for.

    Args:
        package: ``__name__`` of the package.

    Returns:
        From a name to its object; raises AttributeError for names that the file does not list.
    """
    homes: dict[str, str | None] = {}

    def find(name: str) -> Any:
        if not homes:
            homes.update(_listed(str(sys.modules[package].__file__)))
        if name not in homes:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        home = homes[name]
        value = import_module(f'{package}.{name}') if home is None else getattr(import_module(home, package), name)
        setattr(sys.modules[package], name, value)
        return value

    return find


def _listed(file: str) -> dict[str, str | None]:
    """Relative module of every name that a file imports for type checkers; None for a sub-module itself."""
    import ast

    with open(file, encoding='utf-8') as source:
        tree = ast.parse(source.read())
    guarded = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING']
    return {
        alias.name: f'.{line.module}' if line.module else None
        for block in guarded
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
