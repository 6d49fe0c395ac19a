from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.ground_kernel import paint_ground, stand_on


def test_footprint_on_a_plane_is_the_plane() -> None:
    y, x = np.mgrid[0:20, 0:20] * 2.0
    heights = (0.1 * x - 0.05 * y).astype(np.float32)
    yaw = np.array([0.3, 2.0, -1.2])
    xy = np.array([[10.0, 12.0], [20.0, 8.0], [15.0, 15.0]])
    height, rot = np.empty(3), np.empty((3, 3, 3))
    stand_on(heights, np.array([0.0, 0.0, 2.0, 0.2]), xy, yaw, np.full(3, 4.0), np.full(3, 2.0), height, rot)
    assert height == pytest.approx(0.1 * xy[:, 0] - 0.05 * xy[:, 1], abs=1e-5)
    up = np.array([-0.1, 0.05, 1.0]) / np.linalg.norm([-0.1, 0.05, 1.0])
    for k in range(3):
        assert rot[k].T @ rot[k] == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(rot[k]) == pytest.approx(1.0)
        assert rot[k, :, 2] == pytest.approx(up, abs=1e-6)
        assert np.arctan2(rot[k, 1, 0], rot[k, 0, 0]) == pytest.approx(yaw[k]), 'tilting does not turn'


def test_road_runs_along_the_path() -> None:
    paint = np.empty((80, 80, 3), np.float32)
    path = np.stack([np.arange(0.0, 40.0, 2.5), np.full(16, 20.0)], axis=1)
    paint_ground(paint, np.array([0.0, 0.0, 0.5]), path, 6.0, np.array([0.1, 0.2, 0.3]), 0.25)
    assert paint[40, 40].tolist() == pytest.approx([0.25] * 3)
    assert paint[0, 40].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert paint[40 + 14, 40, 0] == pytest.approx(0.58), 'pavement at 7 m'
    assert {0.85} <= set(np.round(paint[44].ravel().tolist(), 2)), 'dashed line at 2 m'
