"""Running a tool as a program that never outlives its matrix, with its output in a log."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tools.demo_run.progress import Progress, parse_line

from .spec import REPO

STOP_SECONDS = 10.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Program(Protocol):
    """A running command."""

    pid: int

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""

    def process_seconds(self) -> float:
        """Processor time that it and its ended children have used."""

    def stop(self) -> None:
        """End it, and wait until it has ended."""


Starter = Callable[[Sequence[str], Path, dict[str, str]], Program]


class Child:
    """A command as a program of its own, in a process group of its own.

    Args:
        command: The command line; it runs in the repository's root.
        log: Its output is appended here.
        environment: All variables.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        parent = os.getpid()
        with log.open('ab') as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=REPO,
                env=environment,
                start_new_session=True,
                preexec_fn=lambda: die_with(parent),
            )
        self.pid = self._process.pid
        self._status: int | None = None
        self._seconds = 0.0

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""
        if self._status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
                self._process.returncode = self._status
                self._seconds = usage.ru_utime + usage.ru_stime
        return self._status

    def process_seconds(self) -> float:
        """Processor time of the program and of its children that have ended."""
        return self._seconds if self._status is not None else _seconds_so_far(self.pid)

    def stop(self) -> None:
        """Ask the whole group to end, then end it."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, sign)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + STOP_SECONDS
            while self.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            if self._status is not None and sign == signal.SIGKILL:
                break
        while self.poll() is None:
            time.sleep(0.05)


def die_with(parent: int) -> None:
    """In a child that has just been forked: be killed when the parent is. Linux; elsewhere the lock keeps the job."""
    if sys.platform != 'linux':
        return
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _seconds_so_far(pid: int) -> float:
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf('SC_CLK_TCK')


def environment(threads: int) -> dict[str, str]:
    """Variables of the tools: this checkout first, so many threads, output at once, no screen."""
    paths = os.pathsep.join(filter(None, [str(REPO), os.environ.get('PYTHONPATH', '')]))
    counts = dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'), str(threads))
    return dict(os.environ, PYTHONPATH=paths, PYTHONUNBUFFERED='1', MPLBACKEND='Agg', **counts)


class Log:
    """The log of one attempt at a stage: what it says of progress, and its last lines.

    Args:
        path: The file; earlier attempts stay in it.
        command: The command, written first.
    """

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('a') as file:
            file.write(f'$ {shlex.join(command)}\n')
            self._begin = self._read = file.tell()
        self.path = path
        self._rest = ''

    def progress(self) -> Progress | None:
        """The newest progress that was printed since the last call, or None."""
        with self.path.open('rb') as file:
            file.seek(self._read)
            chunk = file.read()
        self._read += len(chunk)
        *lines, self._rest = re.split(r'[\r\n]+', self._rest + chunk.decode(errors='replace'))
        found = [progress for progress in map(parse_line, lines) if progress is not None]
        return found[-1] if found else None

    def tail(self, lines: int = 15) -> str:
        """The last lines of this attempt."""
        with self.path.open('rb') as file:
            file.seek(max(self._begin, self.path.stat().st_size - 20000))
            text = file.read().decode(errors='replace')
        return '\n'.join([line for line in re.split(r'[\r\n]+', text) if line.strip()][-lines:])
