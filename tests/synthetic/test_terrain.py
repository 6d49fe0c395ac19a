from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.terrain import make_terrain

PATH = np.stack([np.linspace(100, 140, 9), np.linspace(50, 50, 9)], axis=1)


@pytest.mark.parametrize('slope', [0.0, 1.2, 5.0])
def test_slope_keeps_its_bound(slope: float) -> None:
    terrain = make_terrain(np.random.default_rng(0), PATH, 60.0, slope, (40.0, 90.0), PATH)
    steep = np.hypot(*np.gradient(terrain.heights.astype(float), terrain.frame[2]))
    assert np.degrees(np.arctan(steep.max())) <= slope + 0.05
    assert np.degrees(np.arctan(steep.max())) >= 0.3 * slope
    assert terrain.frame[3] >= steep.max()


def test_grid_covers_the_path_with_its_margin() -> None:
    terrain = make_terrain(np.random.default_rng(0), PATH, 60.0, 1.0, (40.0, 90.0), PATH)
    low = terrain.frame[:2]
    high = low + terrain.frame[2] * (np.array(terrain.heights.shape[::-1]) - 1)
    assert (low <= PATH.min(axis=0) - 60).all()
    assert (high >= PATH.max(axis=0) + 60).all()
    painted = low + terrain.paint_cell * np.array(terrain.paint.shape[1::-1])
    assert (painted >= high).all()


def test_flat_is_flat_and_the_same_draw_is_the_same_ground() -> None:
    flat = make_terrain(np.random.default_rng(1), PATH, 40.0, 0.0, (40.0, 90.0), PATH)
    assert np.ptp(flat.heights) == 0.0
    one, two = (make_terrain(np.random.default_rng(2), PATH, 40.0, 3.0, (40.0, 90.0), PATH) for _ in range(2))
    assert (one.heights == two.heights).all()
    assert (one.paint == two.paint).all()


def test_paint_is_a_colour_with_the_road_on_the_path() -> None:
    terrain = make_terrain(np.random.default_rng(3), PATH, 40.0, 1.0, (40.0, 90.0), PATH)
    assert terrain.paint.dtype == np.float32
    assert ((terrain.paint >= 0) & (terrain.paint <= 1)).all()
    x, y = PATH[4]
    row, col = int((y - terrain.frame[1]) / terrain.paint_cell), int((x - terrain.frame[0]) / terrain.paint_cell)
    on_road = terrain.paint[row, col]
    assert on_road.max() - on_road.min() < 1e-6, 'asphalt is grey'
    assert 0.24 <= on_road[0] <= 0.38


def test_standing_on_many_places_equals_one_by_one() -> None:
    terrain = make_terrain(np.random.default_rng(4), PATH, 40.0, 4.0, (40.0, 90.0), PATH)
    rng = np.random.default_rng(5)
    xy, yaw = PATH[:5] + rng.uniform(-9, 9, (5, 2)), rng.uniform(-3, 3, 5)
    length, width = rng.uniform(1, 9, 5), rng.uniform(0.5, 3, 5)
    heights, rotations = terrain.stand(xy, yaw, length, width)
    for k in range(5):
        height, rotation = terrain.stand(xy[k : k + 1], yaw[k : k + 1], length[k : k + 1], width[k : k + 1])
        assert height[0] == heights[k]
        assert (rotation[0] == rotations[k]).all()
    nobody = terrain.stand(np.empty((0, 2)), np.empty(0), np.empty(0), np.empty(0))
    assert [part.shape for part in nobody] == [(0,), (0, 3, 3)]
