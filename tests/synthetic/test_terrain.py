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
