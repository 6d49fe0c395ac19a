"""Identify the samples of a cache by token and by a digest of the teacher's input."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checkpoints import sha256_of
from ..datasets.infos import find_infos, read_infos
from ..datasets.infos.names import DEFAULT_PREFIX
from ..for_people import counted
from .key import digest_of

DIGITS = 16
"""Hexadecimal digits of a sample's digest."""


@dataclass(frozen=True)
class Samples:
    """Samples of one or several information files, with digests.

    Args:
        digests: From token to a digest of the sample's LiDAR files, calibration and times.
        probes: From name to SHA-256 of a few keyframes' point files: tells two roots apart that name their files alike.
        infos: SHA-256 of the information files; a run that has one of them need not read it to compare samples.
    """

    digests: dict[str, str]
    probes: dict[str, str]
    infos: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> Samples:
        """Collect the samples of a data set's config; points are probed where they are on this disk.

        Raises:
            FileNotFoundError: If there is no information file.
        """
        infos = _infos_of(dataset)
        records = read_infos(infos)['data_list']
        names = [record['lidar_points']['lidar_path'] for record in (*records[:1], *records[-1:])]
        digests = {record['token']: _digest(record) for record in records}
        return cls(digests, _probe(dataset, names), (sha256_of(infos),))

    @classmethod
    def merged(cls, parts: list[Samples]) -> Samples:
        """Merge the samples of several data sets."""
        return cls(
            {token: digest for part in parts for token, digest in part.digests.items()},
            {name: digest for part in parts for name, digest in part.probes.items()},
            tuple(digest for part in parts for digest in part.infos),
        )

    def digest(self) -> str:
        """Compute a digest of all samples, whatever their order."""
        return digest_of(self.digests)

    def differences_of(self, dataset: Mapping[str, Any]) -> list[str]:
        """List how a data set differs from these samples of a cache; it may have a part of them.

        Args:
            dataset: Config of the data set; its points need not be on this disk.

        Raises:
            FileNotFoundError: If there is no information file.
        """
        if sha256_of(_infos_of(dataset)) in self.infos:
            return self.differences(Samples({}, _probe(dataset, self.probes)), str(dataset['ann_file']))
        return self.differences(Samples.of(dataset), str(dataset['ann_file']))

    def differences(self, own: Samples, source: str) -> list[str]:
        """List how other samples differ from these; they may be a part.

        Args:
            own: The other samples.
            source: Their information file, for the message.
        """
        sides = f'(the cache: {counted(len(self.digests), "sample")}, {self.digest()[:DIGITS]}; this run: '
        sides += f'{len(own.digests)} of {source}, {own.digest()[:DIGITS]})'
        absent = [token for token in own.digests if token not in self.digests]
        other = [token for token, digest in own.digests.items() if self.digests.get(token, digest) != digest]
        lines = []
        if absent:
            lines.append(f'data: the cache lacks {counted(len(absent), "sample")}, {absent[0]} for one {sides}')
        if other:
            lines.append(
                f'data: {counted(len(other), "sample")} with other LiDAR files, calibration or times, {other[0]} for '
                f'one {sides}'
            )
        lines += [
            f'data: {name} has other points, SHA-256 {self.probes[name]} for the cache, {digest} in this run'
            for name, digest in own.probes.items()
            if self.probes.get(name, digest) != digest
        ]
        return lines


def _infos_of(dataset: Mapping[str, Any]) -> str:
    return find_infos(os.path.join(str(dataset.get('data_root') or ''), dataset['ann_file']))


def _probe(dataset: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Compute the SHA-256 of those point files that are on this disk."""
    prefix = (dataset.get('data_prefix') or DEFAULT_PREFIX)['pts']
    files = {name: Path(str(dataset.get('data_root') or ''), prefix, name) for name in names}
    return {name: sha256_of(file) for name, file in files.items() if file.is_file()}


def _digest(record: Mapping[str, Any]) -> str:
    """Compute the digest of what LoadLidarPoints and LoadLidarSweeps read; labels are left out."""
    sweeps = [
        (
            Path(sweep['lidar_points']['lidar_path']).name,
            sweep['timestamp'],
            [list(map(float, row)) for row in sweep['lidar_points']['lidar2sensor']],
        )
        for sweep in record.get('lidar_sweeps') or []
    ]
    points = record['lidar_points']
    moved = [[list(map(float, row)) for row in points['points2lidar']]] if 'points2lidar' in points else []
    return digest_of([points['lidar_path'], record['timestamp'], sweeps, *moved])[:DIGITS]
