"""The graph of a study: its jobs as plain data, their names, their order, and what a choice of rows needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TEACHER = 'model.teacher_checkpoint'
"""Input of a run that is its teacher."""


@dataclass(frozen=True)
class Job:
    """One node of the graph, as plain data that each job's process reads.

    Args:
        name: Name of its record, marker, lock and logs.
        kind: ``data``, ``cache``, ``run``, ``held_out`` or ``picture``.
        needs: Names of the jobs before it.
        folder: Folder of its results.
        stages: Name and command of each stage; ``<checkpoint of JOB>`` stands for a file that is known later.
        config: Config file.
        config_hash: Key of its config's entries in the plan.
        root: Data root whose information files belong to its fingerprint.
        info_files: Names of these files.
        code: Folders of further source files that it runs.
        inputs: From a name to the job or file whose weights go in.
        cache: Job of the teacher cache that it reads.
        row: Row of a run.
        seed: Seed of a run.
        overrides: ``--cfg-options`` words of the study.
        flags: What else a cache depends on.
        minutes: Expected minutes, or None.
    """

    name: str
    kind: str
    needs: list[str]
    folder: str
    stages: list[tuple[str, list[str]]]
    config: str | None = None
    config_hash: str = ''
    root: str | None = None
    info_files: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    cache: str | None = None
    row: str | None = None
    seed: int | None = None
    overrides: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    minutes: float | None = None


def run_name(row: str, seed: int) -> str:
    """Return the name of a run, from which the comparison reads the seed."""
    return f'{row}_seed{seed}'


def held_out_name(run: str) -> str:
    """Return the name of a run's test on the held-out world."""
    return f'held-out-{run}'


def checkpoint_of(job: str) -> str:
    """Return the word that stands for a run's checkpoint in commands."""
    return f'<checkpoint of {job}>'


def first_seeds_first(jobs: Mapping[str, Job], seeds: Mapping[str, Sequence[int]]) -> dict[str, Job]:
    """Put the first seed of every row before the second of any; what a job needs stays before it."""
    wave: dict[str, int] = {}
    for job in jobs.values():
        own = seeds[job.row].index(job.seed) if job.row is not None and job.seed is not None else 0
        wave[job.name] = max([own, *(wave[need] for need in job.needs)])
    return {name: jobs[name] for name in sorted(jobs, key=wave.__getitem__)}


def with_needs(jobs: Mapping[str, Job], rows: Sequence[str], optional: Sequence[str] = ()) -> list[str]:
    """Return the jobs of some rows and what they need; of all rows but the optional ones where none is named.

    Raises:
        ValueError: If a row is unknown.
    """
    known = dict.fromkeys(job.row for job in jobs.values() if job.row is not None)
    unknown = sorted(set(rows) - set(known))
    if unknown:
        raise ValueError(f'no rows {unknown}; there are {list(known)}')
    wanted = {name for name, job in jobs.items() if job.row in (rows or set(known) - set(optional))}
    waiting = [name for name in wanted if jobs[name].kind != 'held_out']
    while waiting:
        more = set(jobs[waiting.pop()].needs) - wanted
        wanted |= more
        waiting += more
    return [name for name in jobs if name in wanted]
