"""Which steps are done: a stamp per step holds a fingerprint of everything that its result depends on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from .plan import Step


def _files_of(paths: Iterable[Path]) -> list[Path]:
    """Files, with folders replaced by the Python files below them."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.rglob('*.py')) if path.is_dir() else [path]
    return files


def fingerprint(command: Sequence[str], inputs: Iterable[Path], parents: Sequence[str]) -> str:
    """SHA-256 of a command line, the content of its inputs and the fingerprints of the steps before it."""
    digest = hashlib.sha256(json.dumps([list(command), list(parents)]).encode())
    for path in _files_of(inputs):
        digest.update(path.name.encode())
        digest.update(path.read_bytes() if path.is_file() else b'absent')
    return digest.hexdigest()


class Stamps:
    """The stamps of one output folder.

    Args:
        folder: Where the stamps lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prints: dict[str, str] = {}

    def settle(self, step: Step, command: Sequence[str]) -> None:
        """Compute the fingerprint of a step whose earlier steps are done."""
        self._prints[step.name] = fingerprint(command, step.inputs, [self._prints[name] for name in step.after])

    def is_done(self, step: Step) -> bool:
        """Whether a settled step has run with this very fingerprint and its results are still there."""
        stamp = self._read(step.name)
        return stamp.get('fingerprint') == self._prints[step.name] and all(path.exists() for path in step.makes)

    def seconds(self, name: str) -> float | None:
        """Seconds that a step took when it ran, or None if it has not."""
        seconds = self._read(name).get('seconds')
        return float(seconds) if isinstance(seconds, int | float) else None

    def forget(self, name: str) -> None:
        """Take back a step's stamp before it runs again."""
        self._path(name).unlink(missing_ok=True)

    def write(self, step: Step, command: Sequence[str], seconds: float) -> None:
        """Record that a settled step has run."""
        self._folder.mkdir(parents=True, exist_ok=True)
        stamp = dict(
            fingerprint=self._prints[step.name],
            seconds=round(seconds, 1),
            command=list(command),
            finished=time.strftime('%Y-%m-%d %H:%M:%S'),
        )
        self._path(step.name).write_text(json.dumps(stamp, indent=2) + '\n')

    def _path(self, name: str) -> Path:
        return self._folder / f'{name}.json'

    def _read(self, name: str) -> dict[str, object]:
        try:
            stamp: dict[str, object] = json.loads(self._path(name).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return stamp
