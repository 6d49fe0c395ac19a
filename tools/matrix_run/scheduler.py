"""Runs the jobs of a matrix, several at a time, beside other processes that do the same."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.demo_run.progress import readable

from .layout import Job, Layout, Stage
from .locks import JobLock, described
from .outlook import expected_seconds, job_seconds, seconds_left
from .programs import Child, Log, Program, Starter, environment
from .records import Record, Records
from .stale import StaleError, Verdict

POLL_SECONDS = 0.3
BEAT_SECONDS = 15.0
BAD = ('failed', 'blocked', 'stale')


@dataclass
class Active:
    """A job that this process runs: its current stage and what is left."""

    job: Job
    lock: JobLock
    stages: list[Stage]
    program: Program
    log: Log
    began: float
    fraction: float = 0.0
    left: float | None = None
    beat: float = field(default_factory=time.monotonic)

    def look(self) -> None:
        """Take up what the log says of progress."""
        progress = self.log.progress()
        if progress is not None:
            self.fraction, self.left = progress.fraction or 0.0, progress.seconds_left


def now() -> str:
    """Date and time for people."""
    return time.strftime('%Y-%m-%d %H:%M:%S')


class Scheduler:
    """One process's part in a matrix.

    Args:
        jobs: All jobs, in order.
        layout: Where things are.
        records: What is known of them.
        verdict: What becomes of results that no longer fit.
        head: What the manifest begins with.
        slots: Jobs at a time.
        threads: Threads of each.
        say: Prints a line.
        start: Starts a command.
        listed: Names of the manifest's jobs, by default those that are run.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        layout: Layout,
        records: Records,
        verdict: Verdict,
        head: dict[str, Any],
        slots: int,
        threads: int,
        say: Callable[[str], None],
        start: Starter = Child,
        listed: Sequence[str] = (),
    ) -> None:
        self._jobs, self._layout, self._records, self._verdict = jobs, layout, records, verdict
        self._head, self._slots, self._threads, self._say, self._start = head, slots, threads, say, start
        self._listed = listed or [job.name for job in jobs]
        self._locks = layout.out / 'locks'
        self._began = time.time()
        self.states: dict[str, str] = {}
        self.active: dict[str, Active] = {}
        self._elsewhere: dict[str, str] = {}

    def run(self, tick: Callable[[Scheduler], None] = lambda scheduler: None) -> dict[str, str]:
        """Run until every job is done, has failed or cannot begin.

        Args:
            tick: Called between looks at the programs.

        Returns:
            ``done``, ``failed``, ``blocked`` or ``stale`` for each job.
        """
        self._manifest()
        try:
            while True:
                moved = self._begin_what_can()
                moved |= self._look_at_programs()
                if not self.active and all(job.name in self.states for job in self._jobs):
                    return self.states
                tick(self)
                if not moved:
                    time.sleep(POLL_SECONDS)
        finally:
            self._stop()
            self._manifest()

    # Beginning

    def _begin_what_can(self) -> bool:
        moved = False
        for job in self._jobs:
            if job.name in self.states or job.name in self.active:
                continue
            before = [self._state_of(need) for need in job.needs]
            if any(state in BAD for state in before):
                wrong = [need for need, state in zip(job.needs, before, strict=True) if state in BAD]
                self._end(job, 'blocked', f'waits for {", ".join(wrong[:3])}, not done')
                moved = True
            elif all(state == 'done' for state in before):
                moved |= self._try(job)
        return moved

    def _state_of(self, name: str) -> str:
        """State of a job that another needs; one that is not ours (``--only``) may be done elsewhere."""
        if any(job.name == name for job in self._jobs):
            return self.states.get(name, 'open')
        if self._records.read(name).get('state') == 'done':
            return 'done'
        return 'open' if JobLock(self._locks, name).holder() else 'blocked'

    def _try(self, job: Job) -> bool:
        """Settle a job whose inputs are there: done, not ours, or begun."""
        record = self._records.read(job.name)
        free = len(self.active) < self._slots
        if record.get('state') != 'done' and not free:
            return False
        lock = JobLock(self._locks, job.name)
        if not lock.take():
            self._note_elsewhere(job, lock)
            return False
        self._elsewhere.pop(job.name, None)
        record = self._records.read(job.name)
        keep_lock = False
        try:
            if record.get('state') == 'failed' and record.get('failed_at', 0) > self._began:
                self.states[job.name] = 'failed'
                return True
            record = self._verdict.settle(job, record)
            stages = job.stages(record)
            if not stages:
                self._records.write(job.name, dict(record, state='done'))
                self.states[job.name] = 'done'
                return True
            if not free:
                return False
            self._begin_stage(job, lock, stages)
            keep_lock = True
        except StaleError as error:
            self._end(job, 'stale', str(error))
        except (FileNotFoundError, ValueError, KeyError) as error:
            self._end(job, 'failed', str(error) if not isinstance(error, KeyError) else f'no entry {error}')
        finally:
            if not keep_lock:
                lock.give()
        return True

    def _note_elsewhere(self, job: Job, lock: JobLock) -> None:
        owner = lock.holder()
        text = described(owner) if owner else ''
        if text and self._elsewhere.get(job.name) != text:
            self._elsewhere[job.name] = text
            self._say(f'{job.name}: run by {text}')

    def _begin_stage(self, job: Job, lock: JobLock, stages: list[Stage]) -> None:
        stage = stages[0]
        command = stage.command()
        record = self._records.read(job.name)
        if stage.name == 'train':
            for key in ('checkpoint', 'metrics'):
                record.pop(key, None)
        attempt = dict(
            stage=stage.name, began=now(), wall_s=0.0, process_s=0.0, exit=None, threads=self._threads,
            host=socket.gethostname(),
        )  # fmt: skip
        record.update(state='running', work_dir=str(job.folder.relative_to(self._layout.out)))
        record.setdefault('attempts', []).append(attempt)
        record.pop('error', None)
        self._records.write(job.name, record)
        log = Log(self._layout.log(job.name, stage.name), command)
        self._say(f'{job.name}: {stage.name}')
        program = self._start(command, log.path, environment(self._threads))
        lock.runs(program.pid)
        self.active[job.name] = Active(job, lock, stages, program, log, time.monotonic())
        self._manifest()

    # Watching

    def _look_at_programs(self) -> bool:
        moved = False
        for name, active in list(self.active.items()):
            active.look()
            status = active.program.poll()
            if status is None:
                if time.monotonic() - active.beat > BEAT_SECONDS:
                    active.beat = time.monotonic()
                    active.lock.touch()
                    self._note_time(active, None)
                continue
            moved = True
            del self.active[name]
            self._ended(active, status)
        return moved

    def _note_time(self, active: Active, status: int | None) -> Record:
        record = self._records.read(active.job.name)
        record['attempts'][-1].update(
            wall_s=round(time.monotonic() - active.began, 2),
            process_s=round(active.program.process_seconds(), 2),
            exit=status,
        )
        self._records.write(active.job.name, record)
        return record

    def _ended(self, active: Active, status: int) -> None:
        """A program ended: go on with the next stage, or end the job."""
        job, stage, record = active.job, active.stages[0], self._note_time(active, status)
        try:
            if status != 0:
                raise RuntimeError(f'exit status {status}')
            record.update(stage.finish())
            self._records.write(job.name, record)
            if len(active.stages) > 1:
                self._begin_stage(job, active.lock, active.stages[1:])
                return
        except (RuntimeError, OSError, ValueError) as error:
            self._end(job, 'failed', f'{stage.name}: {error}\n{active.log.tail()}\nthe whole log: {active.log.path}')
        else:
            self._records.write(job.name, dict(record, state='done', ended=now()))
            self._end(job, 'done')
        active.lock.give()
        self._manifest()

    def _end(self, job: Job, state: str, why: str = '') -> None:
        self.states[job.name] = state
        if state == 'failed':
            record = self._records.read(job.name) or dict(job=job.name)
            self._records.write(job.name, dict(record, state=state, error=why, failed_at=time.time()))
        self._say(f'{job.name}: {state}' + (f'\n    {why}'.replace('\n', '\n    ').rstrip() if why else ''))

    def _stop(self) -> None:
        """End what runs; what it has trained stays."""
        for active in self.active.values():
            active.program.stop()
            record = self._note_time(active, active.program.poll())
            self._records.write(active.job.name, dict(record, state='stopped'))
            active.lock.give()
        self.active.clear()

    # Telling

    def status(self) -> str:
        """One line on all jobs, with the time left."""
        done = {job.name: self._records.read(job.name) for job in self._jobs if self.states.get(job.name) == 'done'}
        waiting = [job for job in self._jobs if job.name not in self.states and job.name not in self.active]
        running = {name: self._left(active, done) for name, active in self.active.items()}
        left = seconds_left(waiting, running, done, self._jobs, max(1, self._slots))
        shown = ', '.join(
            f'{name} {active.stages[0].name} {active.fraction:.0%}' for name, active in self.active.items()
        )
        wrong = [name for name, state in self.states.items() if state != 'done']
        rest = 'time left not known yet' if left is None else f'about {readable(left)} left'
        counts = f'{len(done)}/{len(self._jobs)} done' + (f', {len(wrong)} not' if wrong else '')
        return f'[{time.strftime("%H:%M")}] {counts}; {shown or "nothing here"}; {rest}'

    def _left(self, active: Active, done: dict[str, Record]) -> float | None:
        """Seconds left of a running job: its expected length less what it took, or what its log says."""
        spent = time.monotonic() - active.began
        if active.left is not None:
            return active.left
        expected = expected_seconds(active.job, done, self._jobs)
        if expected is None:
            return spent / active.fraction - spent if active.fraction > 0.02 else None
        before = job_seconds(self._records.read(active.job.name))
        return max(expected - max(before, spent), 0.05 * expected)

    def _manifest(self) -> None:
        self._records.write_manifest(self._head, self._listed)
