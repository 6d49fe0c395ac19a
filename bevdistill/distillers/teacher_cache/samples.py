"""Which samples a cache holds: by token, with a digest of what the teacher's input is made of."""

from __future__ import annotations

import hashlib
import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.fileio import load

from ...datasets.sequence_dataset import DEFAULT_PREFIX
from .key import digest_of

DIGITS = 16
"""Hexadecimal digits of a sample's digest."""


@dataclass(frozen=True)
class Samples:
    """Samples of one or several information files.

    Args:
        digests: From token to a digest of the sample's LiDAR files, calibration and times.
        probes: From token to the SHA-256 of its keyframe's points, for a few samples: tells two roots apart that
            name their files alike.
    """

    digests: dict[str, str]
    probes: dict[str, str]

    @classmethod
    def of(cls, dataset: Mapping[str, Any]) -> Samples:
        """Samples of a data set's config; points are probed where they are on this disk.

        Raises:
            FileNotFoundError: If there is no information file.
        """
        root = str(dataset.get('data_root') or '')
        records = load(os.path.join(root, dataset['ann_file']))['data_list']
        prefix = (dataset.get('data_prefix') or DEFAULT_PREFIX)['pts']
        digests = {record['token']: _digest(record) for record in records}
        probed = {record['token']: record for record in (*records[:1], *records[-1:])}
        probes = {}
        for token, record in probed.items():
            file = Path(root, prefix, record['lidar_points']['lidar_path'])
            if file.is_file():
                probes[token] = hashlib.sha256(file.read_bytes()).hexdigest()
        return cls(digests, probes)

    @classmethod
    def merged(cls, parts: list[Samples]) -> Samples:
        """Samples of several data sets."""
        return cls(
            {token: digest for part in parts for token, digest in part.digests.items()},
            {token: digest for part in parts for token, digest in part.probes.items()},
        )

    def digest(self) -> str:
        """Digest of all samples, whatever their order."""
        return digest_of(self.digests)

    def differences(self, own: Samples, source: str) -> list[str]:
        """How the samples of a run differ from these of a cache, a line each; a run may use a part of them.

        Args:
            own: The run's samples.
            source: Where they are from.
        """
        sides = f'(the cache: {len(self.digests)} samples, {self.digest()[:DIGITS]}; this run: '
        sides += f'{len(own.digests)} of {source}, {own.digest()[:DIGITS]})'
        absent = [token for token in own.digests if token not in self.digests]
        other = [token for token, digest in own.digests.items() if self.digests.get(token, digest) != digest]
        lines = []
        if absent:
            lines.append(f'data: {len(absent)} samples are not in the cache, {absent[0]} for one {sides}')
        if other:
            lines.append(
                f'data: {len(other)} samples have other LiDAR files, calibration or times, {other[0]} for one {sides}'
            )
        lines += [
            f'data: sample {token} has other points, SHA-256 {self.probes[token]} in the cache, {digest} in this run'
            for token, digest in own.probes.items()
            if self.probes.get(token, digest) != digest
        ]
        return lines


def _digest(record: Mapping[str, Any]) -> str:
    """Of what LoadLidarPoints and LoadLidarSweeps read; labels are not in it."""
    sweeps = [
        (
            Path(sweep['lidar_points']['lidar_path']).name,
            sweep['timestamp'],
            [list(map(float, row)) for row in sweep['lidar_points']['lidar2sensor']],
        )
        for sweep in record.get('lidar_sweeps') or []
    ]
    return digest_of([record['lidar_points']['lidar_path'], record['timestamp'], sweeps])[:DIGITS]
