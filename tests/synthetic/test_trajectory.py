from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.trajectory import drive


@pytest.mark.parametrize('seed', range(5))
def test_motion_is_consistent(seed: int) -> None:
    path = drive(np.random.default_rng(seed), np.array([10.0, 20.0]), (-0.5, 4.0), (0.0, 9.0), 0.3)
    assert path.at(0.0)[0] == pytest.approx([10.0, 20.0], abs=1e-6)
    steps = np.diff(path.xy, axis=0) / 0.01
    assert np.linalg.norm(steps, axis=1) == pytest.approx((path.speed[1:] + path.speed[:-1]) / 2, abs=0.01)
    assert np.diff(path.yaw) / 0.01 == pytest.approx((path.turn_rate[1:] + path.turn_rate[:-1]) / 2)
    moving = path.speed[1:] > 0.5
    heading = np.arctan2(steps[:, 1], steps[:, 0])
    assert np.cos(heading - path.yaw[1:])[moving] == pytest.approx(1.0, abs=1e-4)
    assert (path.speed >= 0).all()
    assert (path.speed <= 9).all()
    assert (np.abs(path.turn_rate) <= 0.3).all()


def test_extended_path_is_even_and_straight_at_its_ends() -> None:
    path = drive(np.random.default_rng(1), np.zeros(2), (-0.5, 4.0), (5.0, 9.0), 0.3)
    line = path.extended(20.0, 1.0)
    gaps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    assert gaps.max() < 1.01
    assert gaps.min() > 0.98, 'a chord of a gentle arc'
    first = np.diff(line[:20], axis=0)
    assert np.cross(first[0], first[-1]) == pytest.approx(0.0, abs=1e-9)


def test_standing_still_is_a_path() -> None:
    path = drive(np.random.default_rng(1), np.zeros(2), (-0.5, 1.0), (0.0, 0.0), 0.3)
    assert path.extended(10.0, 1.0).shape == (21, 2)
