"""Two ways to start the command of a step: as a program, or from a process that has imported everything already."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Protocol

from .plan import REPO

PRELOAD = ('bevdistill', 'mmdet3d.models', 'mmdet3d.datasets', 'mmdet3d.evaluation')


@dataclass
class Running:
    """A running command: its process, and the file descriptor of its output."""

    process: Any
    output: int

    def wait(self) -> int:
        """Wait for the end; returns the exit status."""
        if isinstance(self.process, subprocess.Popen):
            return int(self.process.wait())
        self.process.join()
        return int(self.process.exitcode)

    def stop(self) -> None:
        """End the command if it still runs."""
        self.process.terminate()
        self.wait()


class Starter(Protocol):
    """Starts a command line in the repository's root with its output in a pipe."""

    def __call__(self, command: Sequence[str]) -> Running:
        """Start the command."""


def prepare_environment() -> None:
    """Make commands print at once, draw without a screen, and find this checkout when it is not installed."""
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [str(REPO), os.environ.get('PYTHONPATH', '')]))
    os.environ['PYTHONUNBUFFERED'] = '1'
    os.environ['MPLBACKEND'] = 'Agg'


def start_program(command: Sequence[str]) -> Running:
    """Start a command as a program of its own, as a user does."""
    process = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=REPO)
    assert process.stdout is not None
    return Running(process, process.stdout.fileno())


class WarmStarter:
    """Starts Python tools as forks of one server process that has imported the package.

    Importing torch and mmdet3d costs more than a step of the quick demo does. Each tool still runs in a process of its
    own, with the same file and arguments as on the command line.

    Args:
        preload: Modules that the server imports once.
    """

    def __init__(self, preload: Sequence[str] = PRELOAD) -> None:
        # These steps are too small to share among threads; on a busy machine waiting threads cost more than they save.
        os.environ.setdefault('OMP_NUM_THREADS', '1')
        self._context = get_context('forkserver')
        self._context.set_forkserver_preload(list(preload))
        self._reader: Connection | None = None

    def __call__(self, command: Sequence[str]) -> Running:
        """Start ``python FILE ARGUMENTS`` in a fork."""
        # The reader is kept: its descriptor closes with it.
        self._reader, writer = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_run_tool, args=(list(command[1:]), writer))
        process.start()
        writer.close()
        return Running(process, self._reader.fileno())


def _run_tool(arguments: list[str], writer: Connection) -> None:
    """In the fork: become ``python FILE ARGUMENTS`` with all output in the pipe."""
    for stream in (1, 2):
        os.dup2(writer.fileno(), stream)
    writer.close()
    os.chdir(REPO)
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name='__main__')
