"""The plan of a study on disk, and what becomes of results that no longer fit it: refused by name, kept or redone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..checkpoints.whole_file import write_whole
from ..json_file import read_json_object
from . import fingerprints
from .graph import Job
from .records import Folder, Record
from .spec import is_file

ADVICE = (
    'To count what is there as it is: --stale keep. To throw it away and run it again: --stale redo. '
    'To leave it alone: another folder, --out DIR'
)
OWN_CODE = ('data', 'picture')
"""Kinds of jobs that run no model, or none whose result counts: their own folders alone are their code."""


class StaleError(ValueError):
    """Results exist that were made from something else."""


@dataclass
class Plan:
    """All jobs of a study as each job's process reads them.

    Args:
        folder: Output folder.
        jobs: Jobs by name, in order.
        configs: Entries of their configs, by hash.
        stale: What to do with results that no longer fit: ``refuse``, ``keep`` or ``redo``.
        code: Hashes of the package's sources when the study was started.
    """

    folder: Folder
    jobs: dict[str, Job]
    configs: Mapping[str, Mapping[str, str]]
    stale: str
    code: Mapping[str, str]

    def save(self) -> None:
        """Write the plan."""
        tree = dict(
            stale=self.stale, jobs={name: asdict(job) for name, job in self.jobs.items()}, configs=self.configs,
            code=self.code,
        )  # fmt: skip
        write_whole(f'{json.dumps(tree, indent=1)}\n'.encode(), self.folder.plan_file)

    @classmethod
    def load(cls, out: Path) -> Plan:
        """Read the plan of an output folder."""
        folder = Folder(out)
        keys = ('jobs', 'configs', 'stale', 'code')
        tree = read_json_object(folder.plan_file, *keys, advice='Start the study again, which writes it anew')
        jobs = {name: Job(**job) for name, job in tree['jobs'].items()}
        return cls(folder, jobs, tree['configs'], tree['stale'], tree['code'])

    def done(self, name: str) -> bool:
        """Tell whether a job is done."""
        return bool(self.folder.read(name).get('state') == 'done')

    def parts(self, job: Job) -> dict[str, Mapping[str, str]]:
        """Return what a job's result is made from, entry by entry: config, code and data."""
        own = job.kind in OWN_CODE
        code = fingerprints.folder_parts(job.code) if own else fingerprints.code_parts(job.code)
        parts = dict(config=self.configs.get(job.config_hash, {}), code=code)
        return parts if job.root is None else parts | dict(data=fingerprints.data_parts(Path(job.root), job.info_files))

    def identity(self, job: Job, parts: Mapping[str, Mapping[str, str]]) -> Record:
        """Return the fingerprint of a job's result: hashes of its parts, its seed, and the weights of its inputs."""

        def content(source: str) -> str:
            if is_file(source):
                return fingerprints.file_digest(Path(source))
            return str(self.folder.read(source)['checkpoint']['sha256'])

        found: Record = {key: fingerprints.digest(value) for key, value in parts.items()}
        if job.seed is not None and job.kind == 'run':
            found['seed'] = job.seed
        found['inputs'] = {key: content(source) for key, source in job.inputs.items()}
        if job.cache:
            found['cache'] = fingerprints.digest(self.folder.read(job.cache)['identity'])
        return found | (dict(flags=job.flags) if job.flags else {})

    def has_results(self, job: Job, record: Record) -> bool:
        """Tell whether there is something that a change could make stale."""
        files = Path(job.folder).rglob('*.pth' if job.kind in ('run', 'held_out') else '*')
        return bool(record) and (bool(record.get('metrics')) or any(files))

    def settle(self, job: Job) -> Record:
        """Return the record that a job goes on with, written.

        Returns:
            The record with the fingerprint of now, or with its old one where that was kept.

        Raises:
            StaleError: If the results do not fit and are to be refused.
            ValueError: If data that this study did not make lies where it is to make some.
        """
        record = self.folder.read(job.name)
        parts = self.parts(job)
        own = self.identity(job, parts)
        if job.kind == 'data' and not record and Path(job.folder).exists() and any(Path(job.folder).iterdir()):
            raise ValueError(f'{job.folder} was not made by this study; take the key `synthetic` out of its file')
        if not self.has_results(job, record):
            record = {key: record[key] for key in ('attempts',) if key in record}
        elif lines := _differences(record, own, parts):
            if self.stale == 'refuse':
                raise StaleError('\n'.join(['results were made from something else:', *lines, ADVICE]))
            if self.stale == 'redo':
                print('\n    '.join([f'{job.name}: again, since these changed:', *lines]), flush=True)
                shutil.rmtree(job.folder, ignore_errors=True)
                record = {}
            else:
                record['accepted'] = [*record.get('accepted', []), fingerprints.digest(own)]
                record['kept'] = [*record.get('kept', []), *lines]
        described: Record = dict(
            job=job.name, kind=job.kind, row=job.row, seed=job.seed, state='waiting', config=job.config,
            overrides=job.overrides,
        )  # fmt: skip
        record = {**described, **record}
        if 'identity' not in record:
            versions = dict(code_version=fingerprints.code_version(), machine=fingerprints.machine())
            record.update(identity=own, made_from=parts, **versions)
        self.folder.write(job.name, record)
        return record

    def check_code(self) -> None:
        """Refuse to go on once the code differs from that of the jobs before.

        Raises:
            StaleError: If it does, unless other results are kept or redone anyway.
        """
        changed = fingerprints.differences(self.code, fingerprints.code_parts())
        if changed and self.stale == 'refuse':
            raise StaleError(f'the code was changed while the study ran, so nothing more begins: {changed}')

    def check(self, names: Sequence[str]) -> None:
        """Look at all results whose inputs are there, before anything runs, and bring the markers up to date.

        Raises:
            StaleError: If some do not fit and are to be refused; all are named.
        """
        texts: list[str] = []
        again: set[str] = set()
        for name in names:
            job = self.jobs[name]
            try:
                if self.has_results(job, self.folder.read(name)) and all(self.done(need) for need in job.needs):
                    self.settle(job)
            except StaleError as error:
                texts.append('\n    '.join([name, *str(error).splitlines()[1:-1]]))
            if not self.done(name) or again.intersection(job.needs):
                again.add(name)
        if texts:
            raise StaleError('results were made from something else:\n  ' + '\n  '.join(texts) + f'\n{ADVICE}')
        for name in self.jobs:
            marker = self.folder.marker(name)
            if self.done(name) and name not in again:
                marker.parent.mkdir(parents=True, exist_ok=True)
                marker.touch()
            else:
                marker.unlink(missing_ok=True)


def _differences(record: Record, own: Record, parts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return how results differ from what would be made now, a line per part; none if they fit or were accepted."""
    before = record.get('identity')
    if before is None or fingerprints.digest(own) in record.get('accepted', []):
        return []
    lines = []
    for part in dict.fromkeys([*before, *own]):
        old, new = before.get(part), own.get(part)
        if old == new:
            continue
        if part in parts:
            named = fingerprints.differences(record['made_from'].get(part, {}), parts[part])
            lines.append(f'{part}: {named}')
        else:
            lines.append(f'{part}: {_short(old)} -> {_short(new)}')
    return lines


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 60 else f'{text[:57]}...'
