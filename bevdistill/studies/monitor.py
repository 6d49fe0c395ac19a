"""Follow a running study in its records and logs: what runs, how far it is, how long all of it will still take."""

from __future__ import annotations

import heapq
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .graph import Job
from .plan import Plan
from .progress import StageWatch, readable
from .records import Record, wall_seconds

TEST_SHARE = 0.15
"""Part of a run that its test is taken to be, before one was measured."""


def expected_seconds(job: Job, done: Mapping[str, Record], jobs: Mapping[str, Job]) -> float | None:
    """Estimate the seconds of a whole job.

    As its row took with other seeds; else as the file says, times how much longer than said the others took; else as
    others of its kind took; None if nothing is known.
    """
    alike = {name: wall_seconds(record) for name, record in done.items() if jobs[name].kind == job.kind}
    same_row = [seconds for name, seconds in alike.items() if job.row is not None and jobs[name].row == job.row]
    if same_row:
        return statistics.fmean(same_row)
    if job.minutes is not None:
        said = {name: 60 * minutes for name in alike if (minutes := jobs[name].minutes)}
        pace = sum(alike[name] for name in said) / sum(said.values()) if said else 1.0
        return 60 * job.minutes * pace
    return statistics.fmean(alike.values()) if alike else None


def seconds_left(
    waiting: Sequence[Job], running: Mapping[str, float | None], expected: Mapping[str, float | None], cores: int
) -> float | None:
    """Estimate the seconds until all is done, by placing the waiting jobs on the cores in their order.

    Args:
        waiting: Jobs that have not begun.
        running: Seconds left of each running job, None where unknown.
        expected: Seconds of each waiting job, None where unknown.
        cores: Jobs at a time.

    Returns:
        The seconds; unknown jobs count as the mean of the others, and None where nothing is known of any.
    """
    known = [seconds for seconds in (*running.values(), *expected.values()) if seconds is not None]
    if not known:
        return None if running or waiting else 0.0
    mean = statistics.fmean(known)
    ends = {name: mean if left is None else left for name, left in running.items()}
    free = [0.0] * max(cores - len(ends), 0) + sorted(ends.values())
    heapq.heapify(free)
    for job in waiting:
        seconds = expected.get(job.name)
        begin = max([heapq.heappop(free), *(ends.get(need, 0.0) for need in job.needs)])
        ends[job.name] = begin + (mean if seconds is None else seconds)
        heapq.heappush(free, ends[job.name])
    return max(ends.values(), default=0.0)


@dataclass
class Running:
    """A running stage of a job, for the screen."""

    name: str
    stage: str
    fraction: float
    detail: str
    left: float | None


class Monitor:
    """What is known of a study while it runs, read anew by each :meth:`look`.

    Args:
        plan: The study.
        names: The jobs to follow.
        cores: Jobs at a time; None on a cluster, where the pace so far tells how many there are.
        clock: Returns seconds.
    """

    def __init__(
        self, plan: Plan, names: Sequence[str], cores: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._plan, self.names, self._cores, self._clock, self._began = plan, names, cores, clock, clock()
        self._seen: dict[str, tuple[int, Record]] = {}
        self._watches: dict[str, tuple[Any, StageWatch]] = {}
        self.states = {name: self.record(name).get('state', 'waiting') for name in names}
        self._done_before = [name for name, state in self.states.items() if state == 'done']
        self._told = {
            name: len(self.record(name).get('attempts', [])) - (state == 'running')
            for name, state in self.states.items()
        }

    def record(self, name: str) -> Record:
        """Return the record of a job; read again only if it was written since."""
        file = self._plan.folder.record_file(name)
        changed = file.stat().st_mtime_ns if file.exists() else 0
        if name not in self._seen or self._seen[name][0] != changed:
            self._seen[name] = (changed, self._plan.folder.read(name))
        return self._seen[name][1]

    def look(self) -> list[str]:
        """Read records and logs again; returns lines on what has changed."""
        lines = []
        for name in self.names:
            record = self.record(name)
            state, attempts = record.get('state', 'waiting'), record.get('attempts', [])
            # A short stage may have ended between two looks.
            stages = [attempt['stage'] for attempt in attempts[self._told[name] :]]
            lines += [f'{name}: {stage} (log: {self._plan.folder.log(name, stage)})' for stage in stages]
            self._told[name] = len(attempts)
            key = (attempts[-1]['stage'], len(attempts)) if attempts else None
            if state == 'running' and key is not None:
                if name not in self._watches or self._watches[name][0] != key:
                    self._watches[name] = (key, StageWatch(self._plan.folder.log(name, key[0])))
                self._watches[name][1].look()
            else:
                self._watches.pop(name, None)
            if state != self.states[name]:
                lines += self._ended(name, state, record)
            self.states[name] = state
        return lines

    @staticmethod
    def _ended(name: str, state: str, record: Record) -> list[str]:
        if state == 'done':
            return [f'{name}: done in {readable(wall_seconds(record))}']
        if state in ('failed', 'stale'):
            return [f'{name}: {state}\n    ' + str(record.get('error', '')).replace('\n', '\n    ')]
        return []

    def running(self) -> list[Running]:
        """Return the running stages."""
        done = {name: self.record(name) for name in self.names if self.states[name] == 'done'}
        return [
            Running(name, key[0], watch.fraction, watch.detail, self._left(name, key[0], watch, done))
            for name, (key, watch) in self._watches.items()
        ]

    def _left(self, name: str, stage: str, watch: StageWatch, done: Mapping[str, Record]) -> float | None:
        """Estimate the seconds left of a running job: of its stage and of those after it."""
        jobs, job = self._plan.jobs, self._plan.jobs[name]
        whole = expected_seconds(job, done, jobs)
        tests = [wall_seconds(record, 'test') for other, record in done.items() if jobs[other].kind == job.kind]
        own = [wall_seconds(record, 'test') for other, record in done.items() if jobs[other].row == job.row]
        test = statistics.fmean(own or tests) if own or tests else None
        if job.kind != 'run' or stage != 'train':
            return watch.left(test if stage == 'test' and test else whole)
        test = test if test is not None else (whole or 0.0) * TEST_SHARE
        left = watch.left(None if whole is None else whole - test)
        return None if left is None else left + (test or TEST_SHARE * (watch.spent + left))

    def left(self) -> float | None:
        """Estimate the seconds until all is done."""
        done = {name: self.record(name) for name in self.names if self.states[name] == 'done'}
        running = {entry.name: entry.left for entry in self.running()}
        states = ('waiting', 'stopped')
        waiting = [self._plan.jobs[name] for name in self.names if self.states[name] in states and name not in running]
        expected = {job.name: expected_seconds(job, done, self._plan.jobs) for job in waiting}
        if self._cores is not None:
            return seconds_left(waiting, running, expected, self._cores)
        made = sum(wall_seconds(record) for name, record in done.items() if name not in self._done_before)
        # One after the other, at the pace of this session: what was made in the time that it took.
        rest = seconds_left(waiting, {}, expected, 1)
        open_ = [left for left in running.values() if left is not None]
        return None if rest is None or not made else (rest + sum(open_)) * (self._clock() - self._began) / made

    def summary(self) -> str:
        """Return one line on all jobs, with the time left."""
        done = sum(state == 'done' for state in self.states.values())
        wrong = sum(state in ('failed', 'stale') for state in self.states.values())
        left = self.left()
        counts = f'{done}/{len(self.names)} done' + (f', {wrong} failed' if wrong else '')
        shown = ', '.join(f'{entry.name} {entry.stage} {entry.fraction:.0%}' for entry in self.running())
        rest = 'time left not known yet' if left is None else f'about {readable(left)} left'
        return f'{counts}; {shown or "nothing running"}; {rest}'
