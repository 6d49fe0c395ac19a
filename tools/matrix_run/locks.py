"""One job is run by one process: lock files that say who holds them, and that outlive nobody."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

SILENT_SECONDS = 300.0
"""A holder on another machine that has not touched its lock for so long is taken to be gone."""


def process_start(pid: int) -> str | None:
    """What tells a process from a later one with its number: its start time in ticks; None if there is no process.

    Where there is no /proc, ``'unknown'`` of a process that lives.
    """
    try:
        # The name in brackets may hold spaces; the start is the 22nd field.
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        return None if fields[0] in 'ZX' else fields[19]
    except OSError:
        if Path('/proc/self/stat').exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 'unknown'
    return 'unknown'


def _alive(process: Any) -> bool:
    return isinstance(process, list) and len(process) == 2 and process_start(process[0]) == process[1]


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Short exclusive section of all processes that name this file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def write_whole(path: Path, text: str) -> None:
    """Write a file aside and rename it: readers see the old or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f'.{path.name}.{socket.gethostname()}.{os.getpid()}')
    with aside.open('w') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


class JobLock:
    """Lock of one job: a file that holds machine, process and the program that it runs.

    A lock is stale, and taken over, when on this machine neither the holder nor its program lives, or when a holder on
    another machine has been silent for :data:`SILENT_SECONDS`. A program that outlived its killed matrix keeps the job.

    Args:
        folder: Folder of the locks.
        job: Name of the job.
    """

    def __init__(self, folder: Path, job: str) -> None:
        self._path = folder / f'{job}.lock'
        self._guard = folder / '.guard'
        self._owner = dict(host=socket.gethostname(), process=[os.getpid(), process_start(os.getpid())])

    def take(self) -> bool:
        """Take the lock if nobody holds it; returns whether it is ours now."""
        with guarded(self._guard):
            if self.holder() is not None:
                return False
            write_whole(self._path, json.dumps(dict(self._owner, since=time.strftime('%Y-%m-%d %H:%M:%S'))))
            return True

    def holder(self) -> dict[str, Any] | None:
        """Who holds it, or None where it is free or stale."""
        try:
            owner: dict[str, Any] = json.loads(self._path.read_text())
            age = time.time() - self._path.stat().st_mtime
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if owner.get('host') != self._owner['host']:
            return owner if age < SILENT_SECONDS else None
        return owner if _alive(owner.get('process')) or _alive(owner.get('program')) else None

    def runs(self, pid: int) -> None:
        """Note the program that does the job now."""
        owner = json.loads(self._path.read_text())
        write_whole(self._path, json.dumps(dict(owner, program=[pid, process_start(pid)])))

    def touch(self) -> None:
        """Show machines elsewhere that the holder lives."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._path)

    def give(self) -> None:
        """Free it."""
        self._path.unlink(missing_ok=True)


def described(owner: dict[str, Any]) -> str:
    """The holder in words."""
    process, program = owner.get('process') or ['?'], owner.get('program')
    what = f'process {process[0]} on {owner.get("host")} since {owner.get("since")}'
    return what + (f', program {program[0]}' if program else '')


def held(folder: Path, jobs: Iterable[str]) -> dict[str, str]:
    """Jobs that some process runs now, with who it is."""
    owners = {job: JobLock(folder, job).holder() for job in jobs}
    return {job: described(owner) for job, owner in owners.items() if owner is not None}
