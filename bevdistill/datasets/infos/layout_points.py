"""Read which points a sample of the neutral layout has, and how many numbers a point."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contents import check_row_length
from .rules import FEATURES, shown
from .sensors import NUM_POINT_FEATURES

if TYPE_CHECKING:
    from .neutral import Fields


def features_of(lidar: Fields) -> int:
    """Return the numbers per point of a lidar's file."""
    found = lidar.values.get('num_features', NUM_POINT_FEATURES)
    if not FEATURES.holds([found]).all():
        raise ValueError(f"{lidar.where}: 'num_features' must be {FEATURES.expected}, got {shown(found)}")
    return int(found)


def point_file(lidar: Fields, root: Path, features: int) -> str:
    """Return the path of a lidar's file, relative to the root; its size is a multiple of a point."""
    path = lidar.file('points', root)
    size, row = os.path.getsize(root / path), 4 * features
    if size % row:
        raise ValueError(
            f'{lidar.where}: {root / path} has {size} bytes, not a multiple of {row}: points are rows of {features} '
            "float32 numbers, x y z intensity ring ...; give another number of them as 'num_features'"
        )
    return path


def check_points(record: Mapping[str, Any], where: str, root: Path) -> None:
    """Look whether the points of a record can be rows of as many numbers as it says.

    Raises:
        ValueError: If they are rows of others.
    """
    points = record['lidar_points']
    if 'lidar_path' not in points:
        return
    with open(root / points['lidar_path'], 'rb') as stream:
        try:
            check_row_length(stream.read(), points['num_pts_feats'])
        except ValueError as error:
            advice = "give that as 'num_features' of 'lidar'"
            raise ValueError(f'{where}, lidar: {root / points["lidar_path"]}: {error}; {advice}') from error
