from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.lidar_kernel import cast_lidar, count_inside
from bevdistill.synthetic.rays import HIT_GROUND, HIT_NOTHING, box_hit
from bevdistill.synthetic.sensing import _directions

FLOOR = np.full((4, 4), -2.0, np.float32)
FRAME = np.array([-100.0, -100.0, 60.0, 0.001])


@pytest.mark.parametrize('beams', [1, 7])
def test_windows_lose_no_beam(beams: int) -> None:
    rng = np.random.default_rng(beams)
    centres = rng.uniform(-12, 12, (30, 3)) * [1, 1, 0.2]
    rots = np.stack([np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(30)])
    halves = rng.uniform(0.3, 2.0, (30, 3))
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    elevations = np.linspace(-0.4, 0.2, beams)
    directions = _directions(50, elevations) @ turn.T
    ranges, hit = np.full((50, beams), 30.0), np.full((50, beams), HIT_NOTHING, np.int64)
    o = np.zeros(3)
    cast_lidar(o, turn, directions, elevations, centres, rots, halves, FLOOR, FRAME, ranges, hit)
    for i in range(50):
        for j in range(beams):
            d = tuple(directions[i, j].tolist())
            ts = np.array([box_hit(centres[m], rots[m], halves[m], o, d)[0] for m in range(30)])
            floor = -2.0 / d[2] if d[2] < 0 else np.inf
            assert ranges[i, j] == pytest.approx(min(ts.min(), floor, 30.0), abs=0.05)
            if ts.min() < min(floor, 30.0) - 0.1:
                assert hit[i, j] == ts.argmin()
            elif floor < min(ts.min(), 30.0) - 0.1:
                assert hit[i, j] == HIT_GROUND


def test_count_inside_counts_borders_once_per_box() -> None:
    points = np.array([[1, 0, 0, 9, 0], [1.001, 0, 0, 9, 0], [0, 0.5, 0, 9, 0]], np.float32)
    counts = np.zeros(2, np.int64)
    turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    halves = np.array([[1.0, 0.4, 1.0]] * 2)
    count_inside(points, np.zeros((2, 3)), np.stack([np.eye(3), turned]), halves, counts)
    assert counts.tolist() == [1, 1]
    count_inside(points[:0], np.zeros((2, 3)), np.stack([np.eye(3), turned]), halves, counts)
    assert counts.tolist() == [1, 1]
