"""How long a matrix will still take, and what its manifest says of the whole."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import identity
from .layout import Job
from .records import Record, stage_seconds
from .spec import RowSpec


def job_seconds(record: Record) -> float:
    """Wall seconds that a finished job took."""
    return sum(stage_seconds(record, stage) for stage in ('cache', 'train', 'test'))


def expected_seconds(job: Job, done: Mapping[str, Record], jobs: Sequence[Job]) -> float | None:
    """Seconds of a whole job: as its row took with other seeds, as the file says, as others of its kind took."""
    alike = [other for other in jobs if other.name in done and other.kind == job.kind]
    same_row = [job_seconds(done[other.name]) for other in alike if other.row is not None and other.row == job.row]
    if same_row:
        return statistics.fmean(same_row)
    if job.kind == 'run' and job.row is not None and job.row.minutes is not None:
        return 60 * job.row.minutes
    return statistics.fmean(job_seconds(done[other.name]) for other in alike) if alike else None


def seconds_left(
    waiting: Sequence[Job],
    running: Mapping[str, float | None],
    done: Mapping[str, Record],
    jobs: Sequence[Job],
    slots: int,
) -> float | None:
    """Seconds until all is done.

    Args:
        waiting: Jobs that have not begun.
        running: Seconds that are left of each running job, None where unknown.
        done: Records of the finished jobs.
        jobs: All jobs.
        slots: Jobs at a time.

    Returns:
        Work over slots, at least the longest job; None where nothing is known of some job.
    """
    parts = [expected_seconds(job, done, jobs) for job in waiting]
    parts += list(running.values())
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        if not known:
            return None
        known += [statistics.fmean(known)] * (len(parts) - len(known))
    return max(sum(known) / slots, max(known, default=0.0))


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def manifest_head(name: str, metrics: Sequence[str], rows: Sequence[RowSpec], source: Path) -> dict[str, Any]:
    """What the manifest says of the whole: names, order and bases of the rows, code version, machine."""
    return dict(
        matrix=name,
        file=source.name,
        metrics=list(metrics),
        code=identity.code_version(),
        machine=identity.machine(),
        rows=[
            dict(name=row.name, title=row.title, config=row.config, base=row.base, seeds=list(row.seeds))
            for row in rows
        ],
    )
