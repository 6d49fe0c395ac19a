"""Where the configs of this package are: in its checkout, or below ``.mim`` in an installed package."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

PREFIX = 'bevdistill::'
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_root() -> Path:
    """Return the folder that holds ``configs``, ``projects`` and ``tools``.

    Raises:
        FileNotFoundError: If the package came without configs.
    """
    for root in (_PACKAGE.parent, _PACKAGE / '.mim'):
        if (root / 'configs' / '_base_').is_dir():
            return root
    raise FileNotFoundError(f'no configs beside {_PACKAGE} nor in it; install the wheel again, or use a checkout')


def config_path(name: str | Path) -> Path:
    """Resolve ``bevdistill::PATH``, a config by its path inside ``configs``; other paths stay as they are."""
    text = str(name)
    return shipped_root() / 'configs' / text.removeprefix(PREFIX) if text.startswith(PREFIX) else Path(name)


def shipped_namesakes(name: str) -> list[str]:
    """Name the shipped configs with this file name, with or without ``.py``, as commands take them."""
    configs, file = shipped_root() / 'configs', f'{name.removesuffix(".py")}.py'
    return [PREFIX + os.path.relpath(path, configs) for path in sorted(configs.rglob(file)) if path.is_file()]


def package_name(path: Path) -> str | None:
    """Name a file of an installed package as ``_base_`` and commands take it, ``bevdistill::...``; others: None."""
    root = shipped_root()
    if root.name != '.mim' or not path.is_relative_to(root):
        return None
    return PREFIX + os.path.relpath(path, root / 'configs')


def find_projects() -> None:
    """Make ``projects`` importable where the package is installed: behind everything else on the path."""
    root = str(shipped_root())
    if root not in sys.path and find_spec('projects') is None:
        sys.path.append(root)
