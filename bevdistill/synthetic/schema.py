"""Write nuScenes' relational schema: tokens, records and the scene-independent tables.

Field names and meanings: https://www.nuscenes.org/nuscenes#data-format and ``docs/schema_nuscenes.md`` of the devkit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from .catalog import ATTRIBUTES, CATEGORIES, VISIBILITIES
from .rig import CAMERAS, LIDAR

Record = dict[str, Any]
Tables = dict[str, list[Record]]
Array = npt.NDArray[np.float64]

TABLES: tuple[str, ...] = (
    'attribute', 'calibrated_sensor', 'category', 'ego_pose', 'instance', 'log', 'map', 'sample',
    'sample_annotation', 'sample_data', 'scene', 'sensor', 'visibility',
)  # fmt: skip


def token(*parts: object) -> str:
    """Return a 32-digit token, a hash of its parts alone."""
    return hashlib.md5('/'.join(str(part) for part in parts).encode(), usedforsecurity=False).hexdigest()


def quaternions(rotations: Array) -> list[list[float]]:
    """Convert rotation matrices (K, 3, 3) to nuScenes quaternions (w, x, y, z)."""
    wxyz: list[list[float]] = Rotation.from_matrix(rotations).as_quat()[:, [3, 0, 1, 2]].tolist()
    return wxyz


def sensor_token(channel: str) -> str:
    """Return the token of a channel's record in the sensor table."""
    return token('sensor', channel)


def category_token(name: str) -> str:
    """Return the token of a category's record."""
    return token('category', name)


def attribute_token(name: str) -> str:
    """Return the token of an attribute's record."""
    return token('attribute', name)


def visibility_token(share: float) -> str:
    """Return the token of the visibility level of a share in [0, 1]: '1' (below 40 %) to '4' (80 % and more)."""
    return str(1 + sum(share >= bound for bound in (0.4, 0.6, 0.8)))


def static_tables() -> Tables:
    """Return the tables sensor, category, attribute and visibility."""
    return {
        'sensor': [
            {'token': sensor_token(channel), 'channel': channel, 'modality': 'lidar' if channel == LIDAR else 'camera'}
            for channel in (*CAMERAS, LIDAR)
        ],
        'category': [{'token': category_token(name), 'name': name, 'description': ''} for name in CATEGORIES],
        'attribute': [{'token': attribute_token(name), 'name': name, 'description': ''} for name in ATTRIBUTES],
        'visibility': [
            {'token': str(level + 1), 'level': name, 'description': text}
            for level, (name, text) in enumerate(VISIBILITIES)
        ],
    }


def link(records: list[Record]) -> None:
    """Fill prev and next of records that follow each other."""
    for record in records:
        record['prev'] = record['next'] = ''
    for before, after in pairwise(records):
        before['next'], after['prev'] = after['token'], before['token']


def write_table(folder: Path, name: str, records: Iterable[Record]) -> None:
    """Write one table, a record per line."""
    lines = ',\n'.join(json.dumps(record) for record in records)
    (folder / f'{name}.json').write_text(f'[\n{lines}\n]\n' if lines else '[]\n', encoding='utf-8')
