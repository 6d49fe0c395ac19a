"""Find, save and open checkpoints."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .atomic_backend import AtomicBackend
from .public_kinds import unreadable_advice
from .refusal import reason_of

_NUMBERED = re.compile(r'^(?:epoch|iter)_(\d+)\.pth$')


def existing_checkpoint(path: str) -> str:
    """Check the path of a checkpoint early, before data and model are built.

    Args:
        path: A local file, or an address such as ``https://...`` that mmengine's loader knows.

    Returns:
        The path, made absolute if local.

    Raises:
        FileNotFoundError: If there is no such file; names what lies beside it.
    """
    if re.match(r'^[\w-]+:(//|s3)', path):
        return path
    file = Path(path).expanduser().absolute()
    if file.is_file():
        return str(file)
    if not file.parent.is_dir():
        raise FileNotFoundError(f'no checkpoint {file}; the folder {file.parent} does not exist')
    beside = sorted(other.name for other in file.parent.glob('*.pth'))
    raise FileNotFoundError(f'no checkpoint {file}; checkpoints in that folder: {", ".join(beside) or "none"}')


def latest_checkpoint(work_dir: str | Path) -> str | None:
    """Find the newest checkpoint of a work dir.

    Note:
        mmengine trusts the absolute path in the file ``last_checkpoint``, which is stale once a work dir was moved
        or a run died while writing it. Then the checkpoint with the highest number is taken.

    Returns:
        Its path, or None if the folder holds none.
    """
    folder = Path(work_dir)
    pointer = folder / 'last_checkpoint'
    if pointer.is_file():
        named = Path(pointer.read_text().strip())
        for candidate in (named, folder / named.name):
            if candidate.is_file():
                return str(candidate.absolute())
    numbered = [(file.stat().st_mtime, int(match[1]), file) for file, match in _numbered(folder)]
    return str(max(numbered)[2].absolute()) if numbered else None


def _numbered(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for file in folder.glob('*.pth'):
        match = _NUMBERED.match(file.name)
        if match:
            yield file, match


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
    AtomicBackend().put(buffer.getvalue(), path)


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
