"""Tell whether a folder is free for what a command writes, so that nothing of others is mixed in or taken away."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from .whole_file import PART

SHOWN = 3


def strangers(folder: Path, own: Sequence[str]) -> list[str]:
    """List what a folder holds beside names that fit patterns; empty if it is not there."""
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in (*own, f'.*{PART}'))]


def require_no_strangers(folder: Path, own: Sequence[str], what: str) -> None:
    """Check that a folder is new, empty, or holds nothing but what `what` writes.

    Raises:
        FileExistsError: If it holds other things; names some.
        NotADirectoryError: If it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f'{folder} is a file; name a folder with --out')
    others = strangers(folder, own)
    if others:
        more = f' and {len(others) - SHOWN} more' if len(others) > SHOWN else ''
        raise FileExistsError(
            f'{folder} holds {", ".join(others[:SHOWN])}{more}, which {what} did not write; name a new or empty folder '
            'with --out'
        )
