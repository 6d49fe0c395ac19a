"""Where a matrix keeps things, and what a job is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .records import Record
from .spec import REPO, RowSpec


@dataclass(frozen=True)
class Layout:
    """Where a matrix reads and writes."""

    out: Path
    data: Path
    second_data: Path | None = None
    tools: Path = REPO / 'tools'

    def work_dir(self, job: str) -> Path:
        """Folder of a job's results."""
        return self.out / 'runs' / job

    def log(self, job: str, stage: str) -> Path:
        """Log of a stage."""
        return self.out / 'logs' / f'{job}-{stage}.log'


@dataclass(frozen=True)
class Stage:
    """One command of a job.

    Args:
        name: ``train``, ``test`` or ``cache``.
        command: Makes the command line.
        finish: What the record holds once the command has ended well.
    """

    name: str
    command: Callable[[], list[str]]
    finish: Callable[[], Record]


@dataclass(frozen=True)
class Job:
    """Something to run once.

    Args:
        name: Name of record, lock, logs and folder.
        kind: ``cache``, ``run`` or ``final``.
        needs: Names of the jobs before it.
        folder: Folder of its results, removed when it is redone.
        row: Row of a run.
        seed: Seed of a run.
        words: ``--cfg-options`` of the matrix, without places of data and inputs.
        config: Config file.
        identity: What its result depends on; known once the jobs before it are done.
        stages: What is left to do for a record.
    """

    name: str
    kind: str
    needs: tuple[str, ...]
    folder: Path
    config: str
    words: tuple[str, ...]
    identity: Callable[[], Record]
    stages: Callable[[Record], list[Stage]]
    row: RowSpec | None = None
    seed: int | None = None

    def has_results(self, record: Record) -> bool:
        """Whether there is something that a change could make stale."""
        files = self.folder.iterdir() if self.kind == 'cache' and self.folder.is_dir() else self.folder.rglob('*.pth')
        return bool(record) and (bool(record.get('metrics')) or any(files))

    def clear(self) -> None:
        """Remove its results."""
        if self.folder.exists():
            shutil.rmtree(self.folder)


def run_name(row: str, seed: int) -> str:
    """Name of a run; tools/analysis_tools/compare.py reads the seed from it."""
    return f'{row}_seed{seed}'
