"""Identify what a cache was computed from: the teacher and its input, compared entry by entry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

TRAINING_ONLY = ('loss', 'loss_heatmap', 'coder', 'init_cfg', 'train_cfg', 'test_cfg', 'data_preprocessor')
"""Keys of a detector's config, at any depth, that do not change its outputs."""

VOXEL_KEYS = ('voxel', 'voxel_type', 'voxel_layer', 'batch_first', 'max_voxels')
"""Keys of the preprocessor's config that a LiDAR teacher's input depends on."""


@dataclass(frozen=True)
class CacheKey:
    """Teacher and input that cached outputs were computed from; None for what a side does not know.

    Args:
        sha256: Digest of the teacher's checkpoint file.
        model: Config of the teacher without what only its training reads.
        voxels: The preprocessor's voxel settings.
        points: The stages that load its points, see :func:`~.frozen_points.frozen_points`.
    """

    sha256: str | None = None
    model: dict[str, Any] | None = None
    voxels: dict[str, Any] | None = None
    points: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        sha256: str | None = None,
        teacher: Mapping[str, Any] | None = None,
        preprocessor: Mapping[str, Any] | None = None,
        points: Mapping[str, Any] | None = None,
    ) -> CacheKey:
        """Extract the entries of configs that the outputs depend on.

        Args:
            sha256: Digest of the teacher's checkpoint file.
            teacher: Config of the teacher.
            preprocessor: Config of the data preprocessor.
            points: Stages that load the points, already frozen.
        """
        voxels = None
        if preprocessor is not None:
            voxels = {key: preprocessor[key] for key in VOXEL_KEYS if preprocessor.get(key) is not None}
        return cls(sha256, *(_plain(part) for part in (teacher, voxels, points)))

    def to_plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def digest(self) -> str:
        """Compute the SHA-256 of the key, hexadecimal."""
        return digest_of(self.to_plain())

    def differences(self, own: CacheKey) -> list[str]:
        """List how a run differs from this key of a cache; what a side does not know is not compared."""
        lines = []
        if self.sha256 is not None and own.sha256 is not None and self.sha256 != own.sha256:
            lines.append(f'teacher: the cache was made with the weights {self.sha256}, this run names {own.sha256}')
        for name in ('model', 'voxels', 'points'):
            theirs, ours = getattr(self, name), getattr(own, name)
            if theirs is None or ours is None:
                continue
            there, here = dict(_leaves(theirs, name)), dict(_leaves(ours, name))
            lines += [
                f'{path}: the cache has {_shown(there, path)}, this run {_shown(here, path)}'
                for path in dict.fromkeys([*there, *here])
                if there.get(path, _ABSENT) != here.get(path, _ABSENT)
            ]
        return lines


_ABSENT = object()


def digest_of(value: Any) -> str:
    """Compute the SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _plain(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Convert a config to what JSON gives back: tuples become lists, keys strings."""
    if config is None:
        return None
    plain: dict[str, Any] = json.loads(json.dumps(_without_training(config), default=str))
    return plain


def _without_training(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_training(part) for key, part in value.items() if key not in TRAINING_ONLY}
    if isinstance(value, list | tuple):
        return [_without_training(part) for part in value]
    return value


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f'{path}.{key}')
    else:
        yield path, node


def _shown(leaves: Mapping[str, Any], path: str) -> str:
    return repr(leaves[path]) if path in leaves else 'nothing'
