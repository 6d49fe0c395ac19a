"""Commands with their output in a log file, and what a failed one's log means."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .messages import SetupError, say

TAIL_LINES = 15
HEARTBEAT = 30.0  # seconds between signs of life
REMEDIES = (
    (r'No space left on device|Errno 28', 'no disk space is left',
     'Free about 4 GB (temporary folder and pip cache included), then run the same command again'),
    (r'Python\.h: No such file', "CPython's headers are missing (Python.h)",
     'Install them (Debian, Ubuntu: apt-get install python3.11-dev), then run the same command again'),
    (r'Cannot allocate memory|out of memory|Killed signal terminated|internal compiler error',
     'the compiler ran out of memory', 'Run the same command again with MAX_JOBS=1 in front of it'),
    (r'name resolution|Max retries exceeded|NewConnectionError|Failed to establish|timed out|Connection (reset|refused)'
     r'|No matching distribution|Could not find a version',
     'pip could not get the packages', "Check the network, or pip's index and proxy settings (pip config list), "
     'then run the same command again'),
    (r'HASH|do not match the hashes', 'a download is damaged', 'Run "pip cache purge", then the same command again'),
)


class Job:
    """A command that runs in the background, its output in a log.

    It gets its own process group, so that stopping it stops the compilers it started too.

    Args:
        what: What it does, as the subject of an error message.
        command: Program and arguments.
        log: File that receives standard output and error.
        env: Variables to set beside those of this process.
        hold: File descriptors that the command keeps open. The lock of set-up is one: should set-up be killed, the
            next one waits until the orphaned command has ended instead of writing into the same folder.
    """

    def __init__(self, what: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None,
                 hold: Sequence[int] = ()) -> None:
        self.what, self.log = what, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('w') as output:
            self.process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, 'PIP_USER': '0', **(env or {})}, start_new_session=True, pass_fds=tuple(hold))

    def ended(self, seconds: float) -> bool:
        """Wait at most so long for the end; True if it came.

        Raises:
            SetupError: when the command failed; says why as far as the log tells.
        """
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        if status != 0:
            raise explain(self.what, self.log)
        return True

    def progress(self) -> str:
        """How far a compilation is, from the last ``[30/77]`` in the log; empty if there is none."""
        counts = re.findall(r'\[(\d+)/(\d+)\]', self.log.read_text(errors='replace'))
        return f', {counts[-1][0]} of {counts[-1][1]} files' if counts else ''

    def stop(self) -> None:
        """End the command and all that it started, if it still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@contextmanager
def together() -> Iterator[list[Job]]:
    """Collect jobs that run side by side, then wait for them; when one fails or set-up is interrupted, all are stopped.

    Raises:
        SetupError: of the first job that failed.
    """
    jobs: list[Job] = []
    begin = spoken = time.monotonic()
    try:
        yield jobs
        waiting = list(jobs)
        while waiting:
            waiting = [job for job in waiting if not job.ended(0.1)]
            if waiting and time.monotonic() - spoken > HEARTBEAT:
                spoken = time.monotonic()
                states = ' and '.join(job.what + job.progress() for job in waiting)
                say(f'  still {states} ({spoken - begin:.0f} s)')
    finally:
        for job in jobs:
            job.stop()


def run(job: Job) -> None:
    """Wait for one job, stopping it if set-up is interrupted."""
    with together() as jobs:
        jobs.append(job)


def explain(what: str, log: Path) -> SetupError:
    """Turn a failed command's log into an error: the cause where a known one shows, the log's end in any case."""
    text = log.read_text(errors='replace') if log.exists() else ''
    excerpt = '\n'.join(text.splitlines()[-TAIL_LINES:])
    for pattern, problem, remedy in REMEDIES:
        if re.search(pattern, text):
            return SetupError(f'{what} failed: {problem}', f'{remedy}; the whole log is {log}', excerpt)
    return SetupError(f'{what} failed', f'The whole log is {log}; after a fix, run the same command again', excerpt)
