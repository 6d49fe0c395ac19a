"""A study whose stand-ins run in this process: to start a process takes longer than what they do."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO
from unittest.mock import patch

from study_folder import StudyFolder

from bevdistill.studies import run_job

FORK = multiprocessing.get_context('fork')


class InProcess:
    """In place of ``Popen``: ``[python, SCRIPT, ARGUMENTS]``, run to its end before it is waited for."""

    def __init__(self, words: Sequence[str], stdout: TextIO, cwd: Path, env: Mapping[str, str], **_: object) -> None:
        self.status = 0
        with (
            chdir(cwd), redirect_stdout(stdout), redirect_stderr(stdout), patch.dict(os.environ, env),
            patch.object(sys, 'argv', list(words[1:])),
        ):  # fmt: skip
            try:
                runpy.run_path(words[1], run_name='__main__')
            except SystemExit as end:
                self.status = int(end.code or 0)
            except Exception:
                traceback.print_exc()
                self.status = 1

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status."""
        return self.status


class ForkedSnakemake:
    """In place of ``Popen``: ``[python, -m, MODULE, ARGUMENTS]`` in a fork of this process, which has the imports."""

    def __init__(
        self, words: Sequence[str], cwd: Path, stdout: TextIO, env: Mapping[str, str],
        preexec_fn: Callable[[], None], **_: object,
    ) -> None:  # fmt: skip
        import snakemake.cli

        # Looks for plugins, which takes as long as the imports.
        snakemake.cli.get_argument_parser()
        self._process = FORK.Process(target=self._run, args=(words, cwd, stdout, env, preexec_fn))
        self._process.start()
        self.pid, self.kill = self._process.pid, self._process.kill

    @staticmethod
    def _run(
        words: Sequence[str], cwd: Path, stdout: TextIO, env: Mapping[str, str], preexec_fn: Callable[[], None]
    ) -> None:
        os.setsid()
        preexec_fn()
        for number in (1, 2):
            os.dup2(stdout.fileno(), number)
        sys.stdout, sys.stderr = (open(number, 'w', buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
        sys.argv = list(words[2:])
        sys.modules['snakemake.shell'].STDOUT = sys.stdout  # type: ignore[attr-defined]
        with chdir(cwd), patch.dict(os.environ, env, clear=True):
            runpy.run_module(words[2], run_name='__main__', alter_sys=True)

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._process.exitcode

    returncode = property(poll)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end."""
        self._process.join(timeout)
        return self._process.exitcode


class QuickStudy(StudyFolder):
    """Jobs that are run without Snakemake start no process; tests/studies/test_run_job.py starts them."""

    def run_plain(self, *words: str) -> dict[str, int]:
        in_process = SimpleNamespace(**vars(subprocess) | dict(Popen=InProcess))
        with patch.object(run_job, 'subprocess', in_process):
            return super().run_plain(*words)
