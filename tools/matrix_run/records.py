"""What is known of each job: one file per job, written aside and renamed, and the manifest made of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .locks import guarded, write_whole

Record = dict[str, Any]


class Records:
    """The records of one output folder.

    Args:
        out: The output folder.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self.folder = out / 'records'

    def read(self, job: str) -> Record:
        """Record of a job; empty if it never ran."""
        try:
            record: Record = json.loads((self.folder / f'{job}.json').read_text())
        except FileNotFoundError:
            return {}
        return record

    def write(self, job: str, record: Record) -> None:
        """Replace the record of a job."""
        write_whole(self.folder / f'{job}.json', json.dumps(record, indent=1) + '\n')

    def forget(self, job: str) -> None:
        """Drop the record of a job."""
        (self.folder / f'{job}.json').unlink(missing_ok=True)

    def write_manifest(self, head: dict[str, Any], jobs: Iterable[str]) -> None:
        """Gather the records into ``manifest.json``."""
        with guarded(self._out / 'locks' / '.manifest'):
            entries = [self.read(job) or dict(job=job, state='waiting') for job in jobs]
            write_whole(self._out / 'manifest.json', json.dumps(dict(head, jobs=entries), indent=1) + '\n')


def stage_seconds(record: Record, stage: str, kind: str = 'wall_s') -> float:
    """Seconds of all attempts at a stage together."""
    return sum(attempt.get(kind) or 0.0 for attempt in record.get('attempts', []) if attempt['stage'] == stage)
