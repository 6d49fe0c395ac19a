"""Write files whole: a crash or a full disk leaves the old file or the new one, never a part. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = '.part'
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Numbers of errors of a disk that takes no more."""
_NEWBORN_SECONDS = 60.0


def write_whole(content: bytes, path: str | Path) -> None:
    """Write a file aside in its folder, sync it, rename it, sync the folder.

    While it is written, the file aside is locked, which tells :func:`sweep_parts` that its writer is alive. What killed
    writers of the same file have left is removed. A link is followed; a device is written to as it is.

    Args:
        content: What is written.
        path: The file; its folder is made, an earlier file is replaced once the new one is on disk.

    Raises:
        OSError: If it cannot be written; names the file. The earlier one stays as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep_parts(target.parent, f'.{glob.escape(target.name)}.*{PART}')
        handle, aside = tempfile.mkstemp(prefix=f'.{target.name}.', suffix=PART, dir=target.parent)
        try:
            _lock(handle)
            with os.fdopen(handle, 'wb') as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                # mkstemp makes private files; this one gets the permissions that open() would have given.
                os.chmod(aside, 0o666 & ~_umask())
                os.replace(aside, target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        # The name of the file aside says nothing to people, and a failed write names no file at all.
        raise OSError(error.errno, f'cannot write {target}: {os.strerror(error.errno or 0)}') from error


@contextmanager
def full_disk_explained(folder: str | Path) -> Iterator[None]:
    """Name the folder in errors of a full or read-only disk that say nothing but that.

    Raises:
        OSError: In place of the one without a name.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or error.filename is not None or not error.strerror or str(folder) in error.strerror:
            raise
        raise OSError(error.errno, f'cannot write in {folder}: {error.strerror}; what was whole before is') from error


def sweep_parts(folder: str | Path, pattern: str = f'.*{PART}') -> list[Path]:
    """Remove what killed writers left in a folder; files whose writer is alive, on this machine or another, stay.

    Args:
        folder: The folder; it may be missing.
        pattern: Which names, such as ``*/.*.part`` for a level below.

    Returns:
        The files that were removed.
    """
    removed = []
    for part in sorted(Path(folder).glob(pattern)):
        try:
            # A file without content may be about to be locked.
            if part.stat().st_size == 0 and time.time() - part.stat().st_mtime < _NEWBORN_SECONDS:
                continue
            with part.open('rb+') as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()
        except OSError:  # Locked by its writer, gone meanwhile, or somebody else's.
            continue
        removed.append(part)
    return removed


def _lock(handle: int) -> None:
    # On a file system without locks sweep_parts cannot lock either, and removes nothing.
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on disk; what cannot be synced (some network disks) is left to the system."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
