"""Run work in a fork of this process, which has imported everything, and end it in one of many ways."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bevdistill.checkpoints import safe_hook

Work = Callable[[], Any]
_CAPABILITIES = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
LONGEST = 120.0
STAGES = ('half written', 'written', 'synced', 'renamed', 'removing')
"""Moments of writing a checkpoint at which a process can be made to kill itself."""


class Ended(NamedTuple):
    """How a fork ended: its exit status, or the negative number of the signal; seconds; what it printed."""

    status: int
    seconds: float
    said: str

    @property
    def error(self) -> str:
        """The one line of an error, or all that was said where it is not one line."""
        lines = [line for line in self.said.splitlines() if 'error: ' in line and line.startswith('bevdistill')]
        return lines[0] if len(lines) == 1 and 'Traceback' not in self.said else self.said[-600:]

    @property
    def one_line(self) -> bool:
        """Whether it ended with status 1 and one line."""
        return self.status == 1 and 'Traceback' not in self.said and self.error.startswith('bevdistill')


def start(work: Work, log: Path, file_limit: int | None = None, without_rights: bool = False) -> int:
    """Fork; returns the child's process id, which is also its group's.

    Args:
        work: What the child does; what it returns is its exit status.
        log: Where its output goes.
        file_limit: No file may become larger (bytes): a disk that is full.
        without_rights: Without the rights of root, to whom no folder is read-only.
    """
    sys.stdout.flush()
    handle = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666)  # Here, so that it is there at any moment.
    child = os.fork()
    if child:
        os.close(handle)
        with contextlib.suppress(ProcessLookupError):
            os.setpgid(child, child)  # By both, so that a signal sent at once finds the group.
        return child
    status = 70
    try:
        os.setpgid(0, 0)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        if file_limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        if without_rights:
            _drop_capabilities()
        status = work() or 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF)


def _drop_capabilities() -> None:
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), 'cannot drop capabilities')


def wait(child: int, log: Path, began: float, after: float = LONGEST, number: int = signal.SIGKILL) -> Ended:
    """Wait for a fork; after so many seconds send its group a signal, and at last kill it."""
    sent = 0.0
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        now = time.monotonic()
        if not sent and now - began > after:
            (os.killpg if number == signal.SIGKILL else os.kill)(child, number)
            sent = now
        if now - began > max(after, 0) + LONGEST:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # Workers that outlived it.
    return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - (sent or began), log.read_text(errors='replace'))


def forked(
    work: Work, log: Path, after: float = LONGEST, number: int = signal.SIGKILL, **limits: Any
) -> Ended:
    """Run work in a fork to its end, or end it after so many seconds."""
    began = time.monotonic()
    return wait(start(work, log, **limits), log, began, after, number)


def dying(work: Work, stage: str, count: int) -> Work:
    """Make work that kills its process at a stage of the so-manieth checkpoint that it writes."""
    left = [count]

    def reached(now: str, name: str) -> None:
        if now == stage and '.pth' in name:
            left[0] -= 1
            if not left[0]:
                os.killpg(0, signal.SIGKILL)

    def run() -> Any:
        real = os.fdopen, os.fsync, os.replace, safe_hook._remove

        def fdopen(handle: int, *args: Any) -> Any:
            name, file = os.readlink(f'/proc/self/fd/{handle}'), real[0](handle, *args)
            if stage == 'half written' and name.endswith('.part'):
                return _Halving(file, lambda: reached('half written', name))
            return file

        def fsync(handle: int) -> None:
            reached('written', os.readlink(f'/proc/self/fd/{handle}'))
            real[1](handle)

        def replace(aside: Any, target: Any) -> None:
            reached('synced', str(target))
            real[2](aside, target)
            reached('renamed', str(target))

        def remove(path: str) -> None:
            reached('removing', path)
            real[3](path)

        os.fdopen, os.fsync, os.replace, safe_hook._remove = fdopen, fsync, replace, remove  # type: ignore[assignment]
        return work()

    return run


class _Halving:
    """A file that writes half of what it gets before it tells."""

    def __init__(self, file: Any, tell: Callable[[], None]) -> None:
        self._file, self._tell = file, tell

    def write(self, content: bytes) -> None:
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        self._tell()
        self._file.write(content[len(content) // 2 :])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Halving:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
