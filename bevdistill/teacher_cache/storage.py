"""Store a cache on disk: a folder with a manifest and one file per sample.

::

    manifest.json          what the records were computed from, how they are laid out, whether all are there
    samples.json           token -> digest of the sample's LiDAR input
    records/ab/abcd.bin    bytes of one sample, see RecordLayout

A record is written aside and renamed, so it is whole or absent; manifests are written the same way. It ends with a
checksum of its sample's token and its bytes, so that zeros and records that changed places are told. Readers open one
file per sample, read it and close it: no locks, any number of ranks and workers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints.own_folder import require_no_strangers
from ..checkpoints.whole_file import PART, sweep_parts, write_whole
from ..json_file import read_json_object
from .key import CacheKey
from .manifest import CHECKSUM_BYTES, FORMAT, UNCHECKED, CacheManifest
from .record_layout import OPTIONAL_TAPS
from .samples import Samples

NAMES = ('manifest.json', 'samples.json', 'records')
TOOL = 'python tools/cache_teacher.py CONFIG CHECKPOINT'
Put = Callable[[bytes, Path], None]


class TeacherCache:
    """A folder with cached outputs of a teacher.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self._manifest: CacheManifest | None = None

    def require_place(self) -> None:
        """Check that the folder is that of a cache, or free for one.

        Raises:
            FileExistsError: If it holds other things.
        """
        advice = 'Delete it, or name another folder with --out'
        ours = self.exists and 'format' in read_json_object(self.folder / 'manifest.json', advice=advice)
        require_no_strangers(self.folder, () if self.exists and not ours else NAMES, 'a teacher cache')

    @property
    def exists(self) -> bool:
        """Tell whether there is a manifest."""
        return (self.folder / 'manifest.json').is_file()

    @property
    def manifest(self) -> CacheManifest:
        """Return the manifest, read once.

        Raises:
            FileNotFoundError: If there is none; names the command that makes it.
            ValueError: If it is of another format, or damaged.
        """
        if self._manifest is None:
            if not self.exists:
                raise FileNotFoundError(f'there is no teacher cache in {self.folder}; make one with\n  {TOOL}')
            plain = read_json_object(self.folder / 'manifest.json', advice=f'Make the cache anew with\n  {TOOL}')
            if plain.get('format') not in (FORMAT, UNCHECKED):
                raise ValueError(
                    f'the teacher cache in {self.folder} has format {plain.get("format")}, this version reads '
                    f'{UNCHECKED} and {FORMAT}; make it anew with\n  {TOOL}'
                )
            if plain['format'] == UNCHECKED:
                print_log(f'the records of {self.folder} were written without checksums and are not checked', 'current')
            try:
                self._manifest = CacheManifest.from_plain(plain)
            except ValueError as error:
                file = self.folder / 'manifest.json'
                raise ValueError(f'{file}: {error}. Make the cache anew with\n  {TOOL}') from error
        return self._manifest

    @property
    def samples(self) -> Samples:
        """Return the samples of the complete cache."""
        manifest = self.manifest
        digests = read_json_object(self.folder / 'samples.json', advice=f'Make the cache anew with\n  {TOOL}')
        odd = next((token for token, digest in digests.items() if not isinstance(digest, str)), None)
        if odd is not None:
            raise ValueError(
                f'{self.folder / "samples.json"}: sample {odd}: expected a digest, found {digests[odd]!r}. '
                f'Make the cache anew with\n  {TOOL}'
            )
        return Samples(digests, manifest.probes, manifest.infos)

    def check(self, own: CacheKey, more: list[str] | None = None) -> None:
        """Refuse an incomplete cache, and one that was computed from something else.

        Args:
            own: What a run would compute the teacher's outputs from.
            more: Further differences.

        Raises:
            ValueError: With all differences, both sides named.
        """
        manifest = self.manifest
        differences = manifest.key.differences(own) + (more or [])
        if differences:
            raise ValueError(
                f'the teacher cache in {self.folder} does not belong to this run:\n  '
                + '\n  '.join(differences)
                + f'\nName another folder in model.teacher_cache, or make a cache for this run with\n  {TOOL}'
            )
        if not manifest.complete:
            missing = sum(not self.has(token) for token in self.samples.digests)
            raise ValueError(
                f'the teacher cache in {self.folder} is not complete: {missing} of {manifest.num_samples} samples are '
                f'missing. Go on with\n  {manifest.command}'
            )

    def record_path(self, token: str) -> Path:
        """Return the file of a sample, named by its token, or by the token's hash where it cannot be a file name."""
        name = token if re.fullmatch(r'[\w-]+', token) else hashlib.sha256(token.encode()).hexdigest()
        return self.folder / 'records' / name[:2] / f'{name}.bin'

    def has(self, token: str) -> bool:
        """Tell whether the whole record of a sample is there."""
        file = self.record_path(token)
        return file.is_file() and file.stat().st_size == self.manifest.record_bytes

    def read(self, token: str) -> Tensor:
        """Read the record of a sample, (R,) uint8.

        Raises:
            FileNotFoundError: If it is not there; names the token and the command that makes it.
            ValueError: If it has another size than the layout says, or is not what was written for this sample.
        """
        file = self.record_path(token)
        advice = f'make it with\n  {self.manifest.command}'
        try:
            record = np.fromfile(file, dtype=np.uint8)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'sample {token} is not in the teacher cache {self.folder} (no file {file}); {advice}'
            ) from error
        size, layout = len(record), self.manifest.layout.nbytes
        if size != self.manifest.record_bytes:
            raise ValueError(
                f'sample {token} of the teacher cache {self.folder} has {size} bytes, the layout '
                f'{self.manifest.record_bytes}; delete {file} and {advice}'
            )
        if size > layout and record[layout:].tobytes() != checksum(token, record[:layout]):
            raise ValueError(
                f'sample {token} of the teacher cache {self.folder} is damaged: its bytes are not those that were '
                f'written for it; delete {file} and {advice}'
            )
        return torch.from_numpy(record[:layout])

    def put_record(self, token: str, record: NDArray[np.uint8]) -> None:
        """Write the record of a sample, (R,), with its checksum unless the cache was begun without.

        Raises:
            OSError: If it cannot be written.
        """
        closing = checksum(token, record) if self.manifest.format > UNCHECKED else b''
        write_whole(record.tobytes() + closing, self.record_path(token))

    def begin(self, manifest: CacheManifest, samples: Samples, put: Put) -> None:
        """Write manifest and samples, or check that the folder was begun for the same.

        Args:
            manifest: The manifest.
            samples: The samples.
            put: Writes bytes to a file, whole or not at all.

        Raises:
            FileExistsError: If the folder holds other things than a cache.
            ValueError: If the folder holds a cache of something else; both sides named.
        """
        self.require_place()
        sweep_parts(self.folder)
        sweep_parts(self.folder / 'records', f'*/.*{PART}')
        if self.exists:
            self._check_same(manifest, samples)
            return
        put(json.dumps(samples.digests, indent=0).encode(), self.folder / 'samples.json')
        self._put_manifest(manifest, put)

    def finish(self, put: Put) -> list[str]:
        """Mark the cache as complete if all records are there, which the last process to finish finds.

        Returns:
            Tokens that are missing.
        """
        missing = [token for token in self.samples.digests if not self.has(token)]
        if not missing and not self.manifest.complete:
            self._put_manifest(replace(self.manifest, complete=True), put)
        return missing

    def _put_manifest(self, manifest: CacheManifest, put: Put) -> None:
        put(json.dumps(manifest.to_plain(), indent=1).encode(), self.folder / 'manifest.json')
        self._manifest = manifest

    def _check_same(self, manifest: CacheManifest, samples: Samples) -> None:
        found = self.manifest
        lines = found.key.differences(manifest.key)
        if samples.digests != self.samples.digests:
            lines += self.samples.differences(samples, 'the data of the config') or [
                f'data: the cache is for {found.num_samples} samples, the config has {manifest.num_samples} of them'
            ]
        if found.layout != manifest.layout or found.all_queries != manifest.all_queries:
            lines.append(f'taps: the cache holds {_shown(found)}, asked for are {_shown(manifest)}')
        if lines:
            raise ValueError(
                f'{self.folder} holds a cache of something else:\n  '
                + '\n  '.join(lines)
                + '\nName another folder with --out, or delete this one'
            )


def checksum(token: str, record: NDArray[np.uint8]) -> bytes:
    """Compute the checksum of a sample's record, which depends on the sample too."""
    sample = hashlib.sha256(token.encode()).digest()
    return hashlib.blake2b(record.data, digest_size=CHECKSUM_BYTES, key=sample).digest()


def _shown(manifest: CacheManifest) -> str:
    optional = [f'{entry.tap} ({entry.dtype})' for entry in manifest.layout.entries if entry.tap in OPTIONAL_TAPS]
    return f'{", ".join(optional) or "no maps"} and {manifest.queries} of {manifest.all_queries} queries'
