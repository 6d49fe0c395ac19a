"""Real trainings by tools/run_matrix.py, one of them killed, all as forks of one process that has imported the stack.

    python matrix_driver.py CONFIG_OF_THE_RUNS.json

Prints one line of JSON at the end. Not a test of its own: importing the stack anew takes longer than each training.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

import mmdet3d.datasets  # noqa: E402
import mmdet3d.evaluation  # noqa: E402
import mmdet3d.models  # noqa: F401, E402

import bevdistill.engine  # noqa: F401, E402
from tools.matrix_run.programs import die_with  # noqa: E402
from tools.run_matrix import main  # noqa: E402


class ForkedTool:
    """``python FILE ARGUMENTS`` in a fork of this process; ends with it, as a program of run_matrix.py does."""

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        parent = os.getpid()
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            die_with(parent)
            os.environ.update(environment)
            os._exit(_as_program(command, log))

    def poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def process_seconds(self) -> float:
        return 0.0

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        while self.poll() is None:
            time.sleep(0.01)


def _as_program(command: Sequence[str], log: Path) -> int:
    with log.open('ab') as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.chdir(REPO)
    sys.argv = list(command[1:])
    try:
        runpy.run_path(command[1], run_name='__main__')
    except SystemExit as end:
        return int(end.code or 0) if isinstance(end.code, int | None) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def matrix(words: Sequence[str]) -> int:
    """Start the tool in a fork; returns its number."""
    pid = os.fork()
    if pid == 0:
        os._exit(main(words, start=ForkedTool))
    return pid


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(study: str, out: str, victim: str, alone: str) -> dict[str, int]:
    """A study that is killed in the middle of one run and started again; that run undisturbed."""
    words = [study, '--out', f'{out}/study', '--threads', '1']
    first = matrix(words)
    in_the_middle = Path(out, 'study', 'runs', victim, 'iter_2.pth')
    deadline = time.monotonic() + 300
    while not in_the_middle.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(first, signal.SIGKILL)
    killed = wait(first)
    again = wait(matrix(words))
    undisturbed = wait(matrix([alone, '--out', f'{out}/alone', '--threads', '1']))
    return dict(killed=killed, again=again, undisturbed=undisturbed)


if __name__ == '__main__':
    print('\n' + json.dumps(run(**json.loads(Path(sys.argv[1]).read_text()))))
