"""Tell damaged checkpoints from whole ones, by the checksums that are in them, and weights that are no numbers."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..file_kind import no_weights, pointer_or_page

_LEGACY = b'\x80'
OF_META = ('bevdistill', 'dataset_meta')
"""Parts of the meta data that are read: a run's identity, and what mmengine writes of its data."""


class DamagedCheckpointError(ValueError):
    """A checkpoint is not what was written; the message says what is wrong with it, in one line."""


class _OtherKindError(DamagedCheckpointError):
    """A file was never a checkpoint, by its first bytes."""


def damage_of(path: str | Path) -> str | None:
    """Compare a checkpoint with the checksums in it.

    torch writes checkpoints as zip archives with a CRC-32 of every tensor and of the rest, and does not look at them
    when it loads. Zeros, flipped bits and files that were cut differ from theirs.

    Note:
        Files from before torch 1.6 have no checksums. They count as whole here; torch notices when one is cut.

    Args:
        path: The file.

    Returns:
        What is wrong, or None.

    Raises:
        OSError: If it cannot be opened.
    """
    try:
        _content(path, mmap=True)
    except DamagedCheckpointError as error:
        return str(error)
    return None


def _content(path: str | Path, mmap: bool) -> Any:
    """Compare a file with its checksums and load it: None for one from before torch 1.6, or with objects in it."""
    with open(path, 'rb') as file:
        head = file.read(64)
        size = file.seek(0, 2)
        if not size:
            raise DamagedCheckpointError('it is empty')
        if head.startswith(_LEGACY):
            return None
        if other := pointer_or_page(head) or no_weights(head):
            raise _OtherKindError(f'it {other}')
        try:
            with zipfile.ZipFile(file) as archive:
                broken = archive.testzip()
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
            raise DamagedCheckpointError(f'of its {size} bytes some are missing or changed ({error})') from None
    if broken is not None:
        raise DamagedCheckpointError(f"its entry '{broken}' does not have the checksum that was written with it")
    try:  # The table of contents has no checksum of its own.
        return torch.load(path, map_location='cpu', mmap=mmap, weights_only=True)
    except pickle.UnpicklingError:  # It holds objects, which is no damage.
        return None
    except Exception as error:  # The reader of a damaged file can fail in any way.
        raise DamagedCheckpointError(f'torch cannot open it ({str(error).splitlines()[0]})') from None


def check_whole(path: str | Path) -> None:
    """Refuse a damaged checkpoint.

    Raises:
        DamagedCheckpointError: With what is wrong and what to do.
        OSError: If it cannot be read.
    """
    _content_or_refusal(path, mmap=True)


def read_whole(path: str | Path) -> Any:
    """Read a checkpoint as plain data onto the CPU, and refuse a damaged one.

    Raises:
        DamagedCheckpointError: With what is wrong and what to do.
        OSError: If it cannot be read.
        pickle.UnpicklingError: If it holds objects. Of a file from before torch 1.6 the reader can fail in any way.
    """
    content = _content_or_refusal(path, mmap=False)
    return torch.load(path, map_location='cpu', weights_only=True) if content is None else content


def _content_or_refusal(path: str | Path, mmap: bool) -> Any:
    """Return :func:`_content`, or say of which file it fails, and what to do."""
    try:
        return _content(path, mmap)
    except _OtherKindError as error:
        raise DamagedCheckpointError(f'{path} is no checkpoint: {error}') from None
    except DamagedCheckpointError as error:
        raise DamagedCheckpointError(
            f'checkpoint {path} is damaged: {error}. Copy it again or use another one; '
            '--resume without a file takes the newest whole one of the work dir'
        ) from None


def check_content(content: Any, source: str) -> None:
    """Refuse what is no checkpoint: weights by name, alone or as ``state_dict``, beside meta data by name.

    Args:
        content: What a file holds.
        source: The file.

    Raises:
        ValueError: Says what was expected and found.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f'checkpoint {source}: expected weights by name, found a {type(content).__name__}')
    meta = content.get('meta')
    facts = {f'meta.{name}': meta.get(name) for name in OF_META} if isinstance(meta, Mapping) else {}
    for name, part in {'meta': meta, 'state_dict': content.get('state_dict'), **facts}.items():
        if part is not None and not (isinstance(part, Mapping) and all(isinstance(key, str) for key in part)):
            raise ValueError(f'checkpoint {source}: {name}: expected entries by name, found a {type(part).__name__}')


def not_finite_names(tensors: Mapping[str, Any], trained: Collection[str] = ()) -> list[str]:
    """List the tensors that hold a NaN, and of those that are trained the ones with an infinity too.

    Args:
        tensors: From name to tensor, all on one device; other values are passed over.
        trained: Names of parameters. Buffers may hold infinities, such as limits.
    """
    found = [(name, value.detach()) for name, value in _floating(tensors)]
    if not found:
        return []
    fine = [torch.isfinite(value).all() if name in trained else ~value.isnan().any() for name, value in found]
    return [name for (name, _), good in zip(found, torch.stack(fine).tolist(), strict=True) if not good]


def check_finite_weights(weights: Mapping[str, Any], trained: Collection[str], source: str) -> None:
    """Refuse weights that are not numbers: such a model finds nothing and can never be trained again.

    Args:
        weights: From name to tensor.
        trained: Names of parameters, see :func:`not_finite_names`.
        source: Whose they are, for the error.

    Raises:
        ValueError: With the names.
    """
    names = not_finite_names(weights, trained)
    if names:
        raise ValueError(
            f'{source} has weights that are NaN or infinite: {", ".join(names[:3])}'
            + (f' and {len(names) - 3} more of {len(weights)}' if len(names) > 3 else '')
            + '. Use a checkpoint from before they broke'
        )


def _floating(tensors: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, value in tensors.items():
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
            yield name, value
