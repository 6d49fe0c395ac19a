from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.rays import HIT_GROUND, HIT_NOTHING
from bevdistill.synthetic.shading import PLAIN, shade

CAM = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
INTRINSIC = np.array([1.0, 1.0, 0.5, 0.5])


def colour(hit: int, sun: tuple[float, float, float], fog: float = 0.0, cuboid_x: float = 10.0) -> np.ndarray:
    """What one pixel that looks along +x from (0, 0, 1) shows of something 5 m away."""
    image = np.empty((1, 1, 3), np.float32)
    light = np.array([*sun, 0.5, 0.4, fog, 0, 0, 1, 1, 1, 1], float)
    cuboid = np.array([[cuboid_x, 0.0, 1.0]]), np.eye(3)[None], np.ones((1, 3))
    paint = np.full((2, 2, 3), 0.5, np.float32)
    shade(
        np.array([0.0, 0.0, 1.0]), CAM, INTRINSIC, np.full((1, 1), 5.0), np.full((1, 1), hit, np.int64),
        np.zeros((1, 1), np.int64), *cuboid, np.array([[0.8, 0.4, 0.2]]), np.array([PLAIN]), paint,
        np.array([-50.0, -50.0, 50.0, 1.0]), light, image,
    )  # fmt: skip
    return image[0, 0]


def test_faces_towards_the_sun_are_brighter() -> None:
    lit, unlit = colour(0, (-1.0, 0.0, 0.0)), colour(0, (1.0, 0.0, 0.0))
    assert lit / unlit == pytest.approx(0.9 / 0.4 * np.ones(3), rel=1e-5)
    assert unlit[0] / unlit[2] == pytest.approx(4.0, rel=1e-5)


def test_cuboids_cast_shadows_on_the_ground() -> None:
    sun = (1.0, 0.0, 0.0)
    assert colour(HIT_GROUND, (0.6, 0.0, 0.8), cuboid_x=-20.0)[0] > colour(HIT_GROUND, sun)[0]
    assert colour(HIT_GROUND, sun, cuboid_x=8.0)[0] < colour(HIT_GROUND, (0.0, 0.0, 1.0), cuboid_x=30.0)[0]


def test_fog_pulls_towards_the_horizon() -> None:
    clear, thick = colour(0, (-1.0, 0, 0)), colour(0, (-1.0, 0, 0), fog=10.0)
    assert thick == pytest.approx(np.ones(3))
    assert (clear < 0.8).all()


def test_sky_has_the_horizons_colour_at_the_horizon() -> None:
    assert colour(HIT_NOTHING, (0.0, 0.0, 1.0)) == pytest.approx(np.ones(3))
