"""A study whose stand-ins run in this process: to start a process takes longer than what they do."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO
from unittest.mock import patch

from study_folder import StudyFolder

from bevdistill.studies import run_job


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


class QuickStudy(StudyFolder):
    """Jobs that are run without Snakemake start no process; tests/studies/test_run_job.py starts them."""

    def run_plain(self, *words: str) -> dict[str, int]:
        in_process = SimpleNamespace(**vars(subprocess) | dict(Popen=InProcess))
        with patch.object(run_job, 'subprocess', in_process):
            return super().run_plain(*words)
