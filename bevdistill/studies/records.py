"""Files of a study's output folder: one record per job, markers for Snakemake, locks, logs and the manifest."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..checkpoints.whole_file import write_whole
from ..json_file import read_json_object

Record = dict[str, Any]
POOLED = ('code', 'data')
"""Fingerprint parts that a manifest keeps, each distinct set once."""


NAMES = (
    'jobs.json', 'Snakefile', '.snakemake', 'done', 'logs', 'records', 'locks', 'study.lock', 'manifest.json', 'runs',
    'caches', 'held_out', 'pictures', 'results.*', 'results_*',
)  # fmt: skip
"""What a study writes in its output folder, its data aside."""


def now() -> str:
    """Return date and time for people."""
    return time.strftime('%Y-%m-%d %H:%M:%S')


def host() -> str:
    """Return the name of this machine, on Slurm that of the node."""
    return os.environ.get('SLURMD_NODENAME') or socket.gethostname()


@dataclass(frozen=True)
class Folder:
    """The output folder of a study."""

    path: Path

    @property
    def plan_file(self) -> Path:
        """File with all jobs and their commands, read by Snakemake and by each job."""
        return self.path / 'jobs.json'

    def marker(self, job: str) -> Path:
        """File that tells Snakemake that a job is done; the record is what counts."""
        return self.path / 'done' / job

    def log(self, job: str, stage: str) -> Path:
        """Log of one stage of a job."""
        return self.path / 'logs' / f'{job}-{stage}.log'

    def record_file(self, job: str) -> Path:
        """File with all that is known of a job, its provenance included."""
        return self.path / 'records' / f'{job}.json'

    def read(self, job: str) -> Record:
        """Read the record of a job; empty if it never ran."""
        try:
            return read_json_object(self.record_file(job), advice='Delete it: the job runs again')
        except FileNotFoundError:
            return {}

    def write(self, job: str, record: Record) -> None:
        """Replace the record of a job."""
        write_whole(f'{json.dumps(record, indent=1)}\n'.encode(), self.record_file(job))

    def checkpoint(self, job: str) -> Path:
        """Return the checkpoint that a run has trained.

        Raises:
            FileNotFoundError: If it has not.
        """
        found = self.read(job).get('checkpoint')
        if found is None:
            raise FileNotFoundError(f'{job} has no checkpoint yet')
        return self.path / 'runs' / job / str(found['file'])

    @contextlib.contextmanager
    def locked(self, job: str) -> Iterator[int]:
        """Hold the lock of a job, waiting for whoever has it; yields the descriptor for child processes to inherit.

        The lock is the kernel's (``flock``): it ends with the last process that holds the descriptor, killed or not.
        """
        path = self.path / 'locks' / job
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('a+', encoding='utf-8') as file:
            if not _locked(file):
                file.seek(0)
                print(f'{job}: waiting for {file.read().strip() or "another process"}', flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(0)
            file.write(f'process {os.getpid()} on {host()} since {now()}')
            file.flush()
            yield file.fileno()

    def is_running(self, job: str) -> bool:
        """Tell whether some process holds the lock of a job."""
        path = self.path / 'locks' / job
        if not path.exists():
            return False
        with path.open('a', encoding='utf-8') as file:
            return not _locked(file)

    def write_manifest(self, head: Record, jobs: Mapping[str, str]) -> None:
        """Gather the records into ``manifest.json``, with the parts behind the hashes of code and data.

        Args:
            head: What it begins with.
            jobs: Kind of each job by name.
        """
        entries, parts = [], {}
        for job, kind in jobs.items():
            record = self.read(job) or dict(job=job, kind=kind, state='waiting')
            made_from = record.pop('made_from', {})
            parts.update({record['identity'][key]: made_from[key] for key in POOLED if key in made_from})
            entries.append(record)
        manifest = dict(head, jobs=entries, parts=parts)
        write_whole(f'{json.dumps(manifest, indent=1)}\n'.encode(), self.path / 'manifest.json')


def _locked(file: IO[str]) -> bool:
    """Lock a file if nobody else holds it; returns whether it is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wall_seconds(record: Record, stage: str | None = None) -> float:
    """Sum the wall seconds of all attempts at a job, or at one of its stages."""
    return sum(attempt['wall_s'] for attempt in record.get('attempts', []) if stage in (None, attempt['stage']))
