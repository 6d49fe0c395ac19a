from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.rays import HIT_GROUND, HIT_NOTHING
from bevdistill.synthetic.shading import (
    BARRIER,
    BODY,
    CABIN,
    CONE,
    CYCLE,
    FOLIAGE,
    PERSON,
    PLAIN,
    _ground_colour,
    _in_shadow,
    _noise,
    shade,
)

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


def cuboid_pixel(kind: int, look: tuple[float, float, float], at: tuple[float, float, float]) -> np.ndarray:
    """Colour of the point `at` of a grey cuboid of half size 1 at the origin, lit evenly, looked at along `look`.

    Args:
        kind: Material.
        look: Axis direction from the camera to the cuboid.
        at: Point on the face that the camera sees.
    """
    forward = np.array(look)
    right = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.5 else np.array([1.0, 0.0, 0.0])
    right = np.cross(forward, right)
    cam = np.stack([right, np.cross(forward, right), forward], axis=1)
    origin = np.array(at) - 4.0 * forward
    axis = int(np.abs(forward).argmax())
    face = axis + (3 if forward[axis] < 0 else 0)
    image = np.empty((1, 1, 3), np.float32)
    light = np.array([0, 0, 1.0, 0.0, 1.0, 0.0, 0, 0, 0, 0, 0, 0], float)
    shade(
        origin, cam, INTRINSIC, np.full((1, 1), 4.0), np.zeros((1, 1), np.int64), np.full((1, 1), face, np.int64),
        np.zeros((1, 3)), np.eye(3)[None], np.ones((1, 3)), np.full((1, 3), 0.5), np.array([kind]),
        np.zeros((2, 2, 3), np.float32), np.array([-50.0, -50.0, 50.0, 0.0]), light, image,
    )  # fmt: skip
    return image[0, 0]


FRONT, BACK, LEFT, TOP = (-1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)


def test_plain_material_has_its_colour_up_to_grain() -> None:
    for look, at in ((FRONT, (1.0, 0.3, 0.2)), (LEFT, (0.3, 1.0, 0.2)), (TOP, (0.3, 0.2, 1.0))):
        assert cuboid_pixel(PLAIN, look, at) == pytest.approx(np.full(3, 0.5), rel=0.08)


@pytest.mark.parametrize(('look', 'x', 'colour_of_lamp'), [
    (FRONT, 1.0, (0.95, 0.95, 0.80)), (BACK, -1.0, (0.70, 0.03, 0.03)),
])  # fmt: skip
def test_a_body_shows_where_its_front_is(look, x: float, colour_of_lamp) -> None:
    for y in (-0.8, 0.8):
        assert cuboid_pixel(BODY, look, (x, y, 0.0)) == pytest.approx(np.array(colour_of_lamp), abs=1e-6)
    assert cuboid_pixel(BODY, look, (x, 0.0, 0.0)) == pytest.approx(np.full(3, 0.5), rel=0.08), 'between the lamps'


def test_a_body_has_a_dark_skirt_but_not_on_its_roof() -> None:
    assert cuboid_pixel(BODY, LEFT, (0.0, 1.0, -0.8)) == pytest.approx(np.full(3, 0.125), rel=0.08)
    assert cuboid_pixel(BODY, TOP, (0.0, 0.0, 1.0)) == pytest.approx(np.full(3, 0.5), rel=0.08)


def test_a_cabin_has_windows_on_its_sides_alone() -> None:
    glass = np.array([0.10, 0.13, 0.17])
    for look, at in ((FRONT, (1.0, 0.1, 0.2)), (BACK, (-1.0, 0.1, 0.2)), (LEFT, (0.1, 1.0, 0.2))):
        assert cuboid_pixel(CABIN, look, at) == pytest.approx(glass, abs=1e-6)
    assert cuboid_pixel(CABIN, TOP, (0.1, 0.2, 1.0)) == pytest.approx(np.full(3, 0.5), rel=0.08)
    assert cuboid_pixel(CABIN, LEFT, (0.1, 1.0, 0.9)) == pytest.approx(np.full(3, 0.5), rel=0.08), 'above the glass'


@pytest.mark.parametrize(('kind', 'at', 'expected'), [
    (CONE, (0.3, 1.0, 0.2), (0.95, 0.95, 0.95)), (CONE, (0.3, 1.0, -0.5), (0.5, 0.5, 0.5)),
    (BARRIER, (0.2, 1.0, 0.2), (0.85, 0.12, 0.12)), (BARRIER, (0.05, 1.0, 0.2), (0.5, 0.5, 0.5)),
    (PERSON, (0.3, 1.0, -0.5), (0.225, 0.225, 0.225)), (PERSON, (0.3, 1.0, 0.5), (0.5, 0.5, 0.5)),
    (CYCLE, (0.6, 1.0, -0.5), (0.15, 0.15, 0.15)), (CYCLE, (0.1, 1.0, -0.5), (0.5, 0.5, 0.5)),
])  # fmt: skip
def test_marks_of_the_small_classes(kind: int, at: tuple[float, float, float], expected) -> None:
    assert cuboid_pixel(kind, LEFT, at) == pytest.approx(np.array(expected), rel=0.08)


def test_foliage_is_coarser_than_paint() -> None:
    points = [(x, 1.0, z) for x in np.linspace(-0.9, 0.9, 9) for z in np.linspace(-0.9, 0.9, 9)]
    spread = {kind: np.std([cuboid_pixel(kind, LEFT, at)[0] for at in points]) for kind in (PLAIN, FOLIAGE)}
    assert spread[FOLIAGE] > 3.0 * spread[PLAIN] > 0.0


def test_noise_is_a_hash_of_the_cell() -> None:
    values = np.array([[_noise(x + 0.5, y + 0.5, 3) for x in range(-40, 40)] for y in range(-40, 40)])
    assert ((values >= 0) & (values < 1)).all()
    assert values.mean() == pytest.approx(0.5, abs=0.02)
    assert values.std() == pytest.approx(12**-0.5, abs=0.02), 'uniform'
    assert abs(np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1]) < 0.05, 'neighbours are independent'
    assert _noise(2.1, 7.9, 3) == _noise(2.9, 7.1, 3), 'constant within a cell'
    assert _noise(2.1, 7.9, 3) != _noise(2.1, 7.9, 4), 'layers differ'


def test_fog_follows_beer_lambert() -> None:
    clear, horizon = colour(0, (-1.0, 0, 0)), np.ones(3)
    for fog in (0.01, 0.1, 0.5):
        kept = np.exp(-fog * 5.0)
        assert colour(0, (-1.0, 0, 0), fog=fog) == pytest.approx(clear * kept + horizon * (1 - kept), rel=1e-5)


def test_ground_outside_the_painted_area_takes_the_border_colour() -> None:
    paint = np.zeros((2, 3, 3), np.float32)
    paint[1, 2] = 0.8
    rgb = np.empty(3)
    for x, y in ((299.0, 199.0), (1e6, 1e6)):
        _ground_colour(paint, np.array([0.0, 0.0, 100.0]), x, y, 100.0, rgb)
        assert (rgb >= 0.8 * 0.84 - 1e-6).all()
        assert (rgb <= 0.8 * 1.16 + 1e-6).all()
    _ground_colour(paint, np.array([0.0, 0.0, 100.0]), -50.0, -50.0, 100.0, rgb)
    assert (rgb == 0.0).all()


@pytest.mark.parametrize(('distance', 'shaded'), [(5.0, True), (40.0, True), (70.0, False)])
def test_shadows_reach_45_metres(distance: float, shaded: bool) -> None:
    low_sun = np.array([1.0, 0.0, 0.02]) / np.hypot(1.0, 0.02)
    wall = np.array([[distance, 0.0, 2.0]]), np.eye(3)[None], np.array([[0.5, 5.0, 4.0]])
    assert _in_shadow(np.array([0.0, 0.0, 0.05]), low_sun, *wall) == shaded
    assert not _in_shadow(np.array([0.0, 20.0, 0.05]), low_sun, *wall), 'beside the wall'
    assert not _in_shadow(np.array([0.0, 0.0, 0.05]), -low_sun, *wall), 'the wall is behind'
