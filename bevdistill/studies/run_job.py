"""Run one job of a study, as Snakemake calls it: ``python -m bevdistill.studies.run_job OUT JOB --threads N``.

The process dies with its parent, and each command that it runs dies with it. All that counts is written to the job's
record; a job that was killed goes on with the stage that it was in, and a training with its newest checkpoint.
"""

from __future__ import annotations

import argparse
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

import psutil

from . import fingerprints
from .graph import Job
from .plan import Plan, StaleError
from .records import Record, host, now
from .spec import ROOT
from .work_dirs import find_test, read_all_metrics

BEAT_SECONDS = 15.0
TAIL_LINES = 15
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_CHECKPOINT = re.compile(r'<checkpoint of ([^>]+)>')


def die_with(parent: int) -> None:
    """Have this process killed when its parent ends. Linux; elsewhere the job's lock keeps a second one out."""
    if sys.platform != 'linux':
        return
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def environment(threads: int) -> dict[str, str]:
    """Return the variables of a command: this checkout first, so many threads, output at once, no screen."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH', '')]))
    counts = dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS'), str(threads))
    return dict(os.environ, PYTHONPATH=paths, PYTHONUNBUFFERED='1', MPLBACKEND='Agg', **counts)


def tail(path: Path, begin: int = 0) -> str:
    """Return the last lines of a log, from some byte on."""
    with path.open('rb') as file:
        file.seek(max(begin, path.stat().st_size - 20000))
        text = file.read().decode(errors='replace')
    return '\n'.join([line for line in re.split(r'[\r\n]+', text) if line.strip()][-TAIL_LINES:])


class JobRun:
    """One attempt at a job.

    Args:
        plan: The study.
        job: The job.
        threads: Threads of its commands.
        lock: Descriptor of its lock, which its commands inherit.
    """

    def __init__(self, plan: Plan, job: Job, threads: int, lock: int) -> None:
        self._plan, self._job, self._threads, self._lock = plan, job, threads, lock
        self._folder = Path(job.folder)
        self._record: Record = {}

    def run(self) -> bool:
        """Run what is left of the job; returns whether it is done."""
        name = self._job.name
        try:
            self._plan.check_code()
            self._record = self._plan.settle(self._job)
            for stage, command in self._job.stages:
                if not self._finished(stage):
                    self._stage(stage, command)
        except (RuntimeError, OSError, ValueError) as error:
            self._record = self._record or self._plan.folder.read(name) or dict(job=name, kind=self._job.kind)
            state = 'stale' if isinstance(error, StaleError) else 'failed'
            self._write(state=state, error=str(error))
            print(f'{name}: {error}', file=sys.stderr)
            return False
        if self._record['state'] != 'done':
            self._write(state='done', ended=now())
        marker = self._plan.folder.marker(name)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        return True

    def _write(self, **changes: object) -> None:
        self._record.update(changes)
        self._plan.folder.write(self._job.name, self._record)

    def _finished(self, stage: str) -> bool:
        if self._record['state'] == 'done':
            return True
        if stage == 'train':
            return (self._folder / self._record.get('checkpoint', {}).get('file', 'none')).is_file()
        return 'metrics' in self._record if stage == 'test' else False

    def _stage(self, stage: str, command: Sequence[str]) -> None:
        """Run one command to its end and take up what it has made.

        Raises:
            RuntimeError: If it ends with an error; with the end of its log.
        """
        if stage == 'train':
            self._record.pop('checkpoint', None)
        words = [_CHECKPOINT.sub(lambda found: str(self._plan.folder.checkpoint(found[1])), word) for word in command]
        before = set(self._folder.glob('*/*.json'))
        attempt = dict(
            stage=stage, began=now(), wall_s=0.0, process_s=0.0, exit=None, threads=self._threads, host=host()
        )
        self._record.setdefault('attempts', []).append(attempt)
        self._record.pop('error', None)
        self._write(state='running', work_dir=os.path.relpath(self._folder, self._plan.folder.path))
        log = self._plan.folder.log(self._job.name, stage)
        begin = log.stat().st_size if log.exists() else 0
        results: dict[str, Callable[[], Record]] = dict(
            train=self._trained, test=lambda: dict(metrics=read_all_metrics(find_test(self._folder, before)))
        )
        try:
            status = self._command(words, log, attempt)
            if status != 0:
                raise RuntimeError(f'exit status {status}')
            self._write(**results.get(stage, dict)())
        except (RuntimeError, FileNotFoundError) as error:
            raise RuntimeError(f'{stage}: {error}\n{tail(log, begin)}\nthe whole log: {log}') from None

    def _command(self, words: Sequence[str], log: Path, attempt: Record) -> int:
        log.parent.mkdir(parents=True, exist_ok=True)
        began, parent = time.monotonic(), os.getpid()
        with log.open('a', encoding='utf-8') as output:
            output.write(f'$ {shlex.join(words)}\n')
            output.flush()
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT,
                env=environment(self._threads), pass_fds=[self._lock], preexec_fn=lambda: die_with(parent),
            )  # fmt: skip
        before = os.times()
        while True:
            try:
                status = process.wait(BEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                times = psutil.Process(process.pid).cpu_times()
                self._times(attempt, began, sum(times[:4]))
                self._write()
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        self._times(attempt, began, spent)
        attempt['exit'] = status
        self._write()
        return status

    @staticmethod
    def _times(attempt: Record, began: float, process_s: float) -> None:
        attempt.update(wall_s=round(time.monotonic() - began, 2), process_s=round(process_s, 2))

    def _trained(self) -> Record:
        note = self._folder / 'last_checkpoint'
        if not note.is_file():
            raise FileNotFoundError(f'the training ended without error but left no checkpoint in {self._folder}')
        # By name: the path in the note is out of date where the folder was moved.
        checkpoint = self._folder / Path(note.read_text(encoding='utf-8').strip()).name
        return dict(checkpoint=dict(file=checkpoint.name, sha256=fingerprints.file_digest(checkpoint)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(description='Run one job of a study; called by Snakemake.')
    parser.add_argument('out', type=Path, help='output folder of the study')
    parser.add_argument('job', help='name of the job')
    parser.add_argument('--threads', type=int, default=1, help='threads of its commands')
    parser.add_argument('--parent', type=int, help='process to die with')
    args = parser.parse_args(argv)
    if args.parent is not None:
        die_with(args.parent)
    plan = Plan.load(args.out.absolute())
    with plan.folder.locked(args.job) as lock:
        return 0 if JobRun(plan, plan.jobs[args.job], args.threads, lock).run() else 1


if __name__ == '__main__':
    sys.exit(main())
