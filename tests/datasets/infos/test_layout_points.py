"""Files of points of the neutral layout: numbers per point by what is said, and against what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bevdistill.datasets.infos.layout_points import check_points, features_of, point_file
from bevdistill.datasets.infos.neutral import Fields


def lidar(**values: Any) -> Fields:
    return Fields(values, 'a.jsonl line 2, lidar')


@pytest.mark.parametrize(('values', 'features'), [(dict(), 5), (dict(num_features=3), 3), (dict(num_features=32), 32)])
def test_numbers_per_point(values: dict[str, Any], features: int) -> None:
    assert features_of(lidar(**values)) == features


@pytest.mark.parametrize('found', [2, 33, 4.0, '4', None, True])
def test_other_numbers_are_refused(found: Any) -> None:
    with pytest.raises(ValueError) as error:
        features_of(lidar(num_features=found))
    assert str(error.value) == (
        f"a.jsonl line 2, lidar: 'num_features' must be the numbers per point, 3 to 32, got {found!r}"
    )


def test_a_file_holds_whole_points(tmp_path: Path) -> None:
    """No point at all is one too."""
    np.zeros(15, np.float32).tofile(tmp_path / 'a.bin')
    assert point_file(lidar(points='a.bin'), tmp_path, 5) == 'a.bin'
    assert point_file(lidar(points='a.bin'), tmp_path, 3) == 'a.bin'
    (tmp_path / 'empty.bin').touch()
    assert point_file(lidar(points='empty.bin'), tmp_path, 5) == 'empty.bin'
    with pytest.raises(ValueError) as error:
        point_file(lidar(points='a.bin'), tmp_path, 4)
    assert str(error.value) == (
        f'a.jsonl line 2, lidar: {tmp_path}/a.bin has 60 bytes, not a multiple of 16: points are rows of 4 float32 '
        "numbers, x y z intensity ring ...; give another number of them as 'num_features'"
    )


def record(features: int) -> dict[str, Any]:
    return dict(lidar_points=dict(lidar_path='a.bin', num_pts_feats=features))


def test_points_in_rows_of_another_length_are_named(tmp_path: Path) -> None:
    """2,000 points of four numbers of unlike size, read as five."""
    rng = np.random.default_rng(0)
    points = np.stack([rng.normal(0, 20, 2000), rng.normal(0, 20, 2000), rng.normal(-1, 0.5, 2000),
                       rng.integers(0, 255, 2000)], axis=1)  # fmt: skip
    points.astype(np.float32).tofile(tmp_path / 'a.bin')
    check_points(record(4), 'a line', tmp_path)
    with pytest.raises(ValueError) as error:
        check_points(record(5), 'a line', tmp_path)
    text = str(error.value)
    assert text.startswith(f'a line, lidar: {tmp_path}/a.bin: ')
    assert text.endswith("give that as 'num_features' of 'lidar'")
    assert '4' in text.removeprefix(f'a line, lidar: {tmp_path}/a.bin: ')


def test_samples_without_points_are_not_looked_at(tmp_path: Path) -> None:
    check_points(dict(lidar_points=dict(num_pts_feats=5)), 'a line', tmp_path)
