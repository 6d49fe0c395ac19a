"""Find the shipped configs and what their lab notes say."""

from __future__ import annotations

import os
from pathlib import Path

from bevdistill.engine.shipped import package_name

PATTERNS = ('configs/**/*.py', 'projects/*/configs/**/*.py')


def shipped_configs(root: Path) -> list[Path]:
    """List the configs below a root without the parts in ``_base_`` folders."""
    found = [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]
    return [path for path in found if '_base_' not in path.parts]


def shown(path: Path) -> str:
    """Name a config as a command takes it: a path from this folder, or ``bevdistill::...`` of an installed package."""
    return package_name(path) or os.path.relpath(path)


def first_note(path: Path) -> str:
    """Read the first paragraph of a config's lab note, the comment that the file begins with."""
    words = []
    for line in path.read_text(encoding='utf-8').splitlines():
        text = line.removeprefix('#').strip()
        if not line.startswith('#') or not text:
            break
        words.append(text)
    return ' '.join(words)
