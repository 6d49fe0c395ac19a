"""Results that no longer fit the config, code or data at hand: named, kept or made again, never mixed in silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import identity
from .layout import Job
from .records import Record, Records

ADVICE = (
    'To count what is there as it is: --stale keep. To throw it away and run it again: --stale redo. '
    'To leave it alone: another folder, --out DIR'
)


class StaleError(ValueError):
    """Results exist that were made from something else."""


class Verdict:
    """What becomes of results that no longer fit.

    Args:
        records: What is known of the jobs.
        library: Parts behind the hashes.
        mode: ``refuse``, ``keep`` or ``redo``.
        say: Prints a line.
    """

    def __init__(self, records: Records, library: identity.Library, mode: str, say: Callable[[str], None]) -> None:
        self._records, self._library, self._mode, self._say = records, library, mode, say
        self._code = library.keep(identity.code_parts(()))

    def differences(self, job: Job, record: Record) -> list[str]:
        """How a job's results differ from what would be made now, a line per part; empty if they fit."""
        own = job.identity()
        before = record.get('identity')
        if before is None or not job.has_results(record) or identity.digest(own) in record.get('accepted', []):
            return []
        lines = []
        for part in dict.fromkeys([*before, *own]):
            old, new = before.get(part), own.get(part)
            if old == new:
                continue
            if part in ('config', 'code', 'data'):
                lines.append(f'{part}: {self._library.differences(str(old), str(new))}')
            else:
                lines.append(f'{part}: {_short(old)} -> {_short(new)}')
        return lines

    def check(self, jobs: Sequence[Job]) -> None:
        """Look at all results whose inputs are there, before anything runs.

        Raises:
            StaleError: If some do not fit and the mode is to refuse; all are named.
        """
        if self._mode != 'refuse':
            return
        texts = []
        for job in jobs:
            record = self._records.read(job.name)
            if not job.has_results(record):
                continue
            if any(self._records.read(need).get('state') != 'done' for need in job.needs):
                continue
            lines = self.differences(job, record)
            texts += ['\n    '.join([job.name, *lines])] if lines else []
        if texts:
            raise StaleError('results were made from something else:\n  ' + '\n  '.join(texts) + f'\n{ADVICE}')

    def settle(self, job: Job, record: Record) -> Record:
        """The record that a job goes on with; its lock is held.

        Returns:
            The record with this run's identity, or with its old one where that was kept.

        Raises:
            StaleError: If the results do not fit and the mode is to refuse; also if the code changed since the start,
                since the jobs before were run by another.
        """
        code = self._library.keep(identity.code_parts(()))
        if code != self._code and self._mode == 'refuse':
            changed = self._library.differences(self._code, code)
            raise StaleError(f'the code was changed while the matrix ran, so nothing more begins: {changed}')
        lines = self.differences(job, record)
        own = job.identity()
        if lines and self._mode == 'refuse':
            raise StaleError('\n'.join(['results were made from something else:', *lines, ADVICE]))
        if lines and self._mode == 'redo':
            self._say('\n    '.join([f'{job.name}: again, since these changed:', *lines]))
            job.clear()
            record = {}
        elif lines:
            record = dict(record, accepted=[*record.get('accepted', []), identity.digest(own)])
            record['kept'] = [*record.get('kept', []), *lines]
        elif not job.has_results(record):
            attempts = record.get('attempts', [])
            record = dict(attempts=attempts) if attempts else {}
        record = dict(self._description(job), **record)
        record.setdefault('identity', own)
        record.setdefault('code', identity.code_version())
        self._records.write(job.name, record)
        return record

    @staticmethod
    def _description(job: Job) -> Record:
        return dict(
            job=job.name, kind=job.kind, row=job.row.name if job.row else None, seed=job.seed, state='waiting',
            config=job.config, overrides=list(job.words),
        )  # fmt: skip


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 60 else f'{text[:57]}...'
