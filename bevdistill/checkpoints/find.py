"""Find, save and open checkpoints."""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from .damage import DamagedCheckpointError, damage_of
from .public_kinds import unreadable_advice
from .refusal import reason_of
from .whole_file import write_whole

_NUMBERED = re.compile(r'^(epoch|iter)_(\d+)\.pth$')


def latest_checkpoint(work_dir: str | Path) -> str | None:
    """Find the newest whole checkpoint of a work dir; the log names those that are damaged.

    Note:
        mmengine trusts the absolute path in the file ``last_checkpoint``, which is stale once a work dir was moved
        or a run died while writing it, and does not look into the file. Here the checkpoint of that name is taken if it
        is whole, else the newest of the others that is.

    Returns:
        Its path, or None if the folder holds none.

    Raises:
        DamagedCheckpointError: If it holds checkpoints and none of them is whole.
    """
    damaged: list[str] = []
    for file in _newest_first(Path(work_dir)):
        damage = damage_of(file)
        if damage is None:
            if damaged:
                print_log(f'{"; ".join(damaged)}. Taken in its place: {file}', 'current', logging.WARNING)
            return str(file.absolute())
        damaged.append(f'checkpoint {file} is damaged: {damage}')
    if damaged:
        raise DamagedCheckpointError(
            f'no checkpoint in {work_dir} is whole: {"; ".join(damaged)}. Restore one, or remove them to begin anew'
        )
    return None


def _newest_first(folder: Path) -> list[Path]:
    """List the numbered checkpoints of a work dir, first the one that ``last_checkpoint`` names.

    A run can die between a checkpoint and this note of it: what is newer than the note, of a higher number, precedes.
    """
    found = {file: _NUMBERED.match(file.name) for file in folder.glob('*.pth')}
    numbers = {file: (match[1], int(match[2])) for file, match in found.items() if match}
    newest = sorted(numbers, key=lambda file: (file.stat().st_mtime, numbers[file][1]), reverse=True)
    note = folder / 'last_checkpoint'
    if not note.is_file():
        return newest
    named = Path(note.read_text(errors='replace').strip('\0\n '))
    first = [file for file in (folder / named.name, named) if file.is_file()][:1]
    kind, number = numbers.get(folder / named.name, ('', 0))
    written = note.stat().st_mtime
    later = [file for file in newest if numbers[file] > (kind, number) and numbers[file][0] == kind]
    return list(dict.fromkeys([*(file for file in later if file.stat().st_mtime > written), *first, *newest]))


def sha256_of(path: str | Path) -> str:
    """Compute the SHA-256 of a file, hexadecimal."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def save_checkpoint(content: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically.

    Args:
        content: Plain data and tensors.
        path: The file; its folder is made, an earlier file is replaced.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(buffer.getvalue(), path)


@contextmanager
def unreadable_checkpoints_explained(path: str | Path | None) -> Iterator[None]:
    """Turn torch's refusal of a checkpoint with Python objects into advice.

    Args:
        path: The file that is loaded.

    Raises:
        ValueError: In place of torch's ``UnpicklingError``.
    """
    try:
        yield
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'checkpoint {path} holds Python objects, and loading those could run code, so it was refused: '
            + (unreadable_advice(path) if path else reason_of(error))
        ) from None
