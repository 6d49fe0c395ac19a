from __future__ import annotations

import numpy as np
import pytest
from shapely.affinity import rotate, translate
from shapely.geometry import Polygon, box

from bevdistill.synthetic.placement import Occupancy, Spot, draw_spot
from bevdistill.synthetic.population import Thing
from bevdistill.synthetic.trajectory import drive

CAR = (2.0, 4.6, 1.7)


def parked_path() -> Occupancy:
    return Occupancy(drive(np.random.default_rng(0), np.zeros(2), (-0.5, 1.0), (0.0, 0.0), 0.0), (-0.5, 1.0))


def spot(x: float, y: float, vx: float = 0.0, vy: float = 0.0, yaw: float = 0.0) -> Spot:
    return Spot(np.array([x, y]), np.array([vx, vy]), yaw, abs(y))


def test_a_taken_place_is_refused() -> None:
    occupancy = parked_path()
    assert not occupancy.take(spot(0.0, 0.0), CAR), 'the ego car stands here'
    assert occupancy.take(spot(20.0, 0.0), CAR)
    assert not occupancy.take(spot(21.0, 1.0), CAR)
    assert not occupancy.take(spot(20.0, 2.0, yaw=1.57), CAR)
    assert occupancy.take(spot(20.0, 3.4), CAR), 'side by side'
    assert not occupancy.take(spot(20.0, -2.0), (12.0, 12.0, 8.0)), 'wider than long'


def test_crossing_later_is_refused() -> None:
    occupancy = parked_path()
    assert occupancy.take(spot(20.0, 0.0), CAR)
    assert not occupancy.take(spot(30.0, 0.0, vx=-8.0, yaw=np.pi), CAR), 'would drive into it'
    assert occupancy.take(spot(32.0, 0.0, vx=8.0), CAR), 'drives away'


def test_spots_stay_in_their_strip() -> None:
    rng = np.random.default_rng(1)
    line = np.stack([np.arange(-25.0, 36.0), np.zeros(61)], axis=1)
    far = Thing('', '', 'pole', (0.2, 0.2, 5.0), (0.5, 0.5, 0.5), lateral=(0.4, 0.6))
    near = Thing('vehicle.car', 'vehicle', 'car', CAR, (0.5, 0.5, 0.5), speed=3.0, near=True)
    for _ in range(100):
        pole = draw_spot(rng, far, line, 25.0, 0.25)
        assert 10.0 <= abs(pole.xy[1]) <= 15.0
        car = draw_spot(rng, near, line, 25.0, 0.25)
        middle = car.xy + 0.25 * car.velocity
        assert np.abs(middle).max() <= 16.0
        assert np.linalg.norm(car.velocity) > 2.99


def footprint(place: Spot, size: tuple[float, float, float], time: float) -> Polygon:
    """The rectangle that a thing covers at a time."""
    centre = place.xy + time * place.velocity
    rectangle = box(-size[1] / 2, -size[0] / 2, size[1] / 2, size[0] / 2)
    return translate(rotate(rectangle, place.yaw, origin=(0, 0), use_radians=True), *centre)


def test_what_is_taken_never_overlaps() -> None:
    """Against exact rectangles, at times between those that the occupancy looks at."""
    rng = np.random.default_rng(5)
    occupancy = parked_path()
    taken: list[tuple[Spot, tuple[float, float, float]]] = []
    for _ in range(250):
        size = (rng.uniform(0.5, 3.0), rng.uniform(0.5, 11.0), 1.5)
        yaw = rng.uniform(-np.pi, np.pi)
        speed = rng.uniform(0.0, 4.0) * rng.integers(0, 2)
        place = spot(*rng.uniform(-25, 25, 2), speed * np.cos(yaw), speed * np.sin(yaw), yaw)
        if occupancy.take(place, size):
            taken.append((place, size))
    assert len(taken) > 20
    for time in np.linspace(-0.45, 0.95, 6):
        polygons = [footprint(place, size, time) for place, size in taken]
        for i, one in enumerate(polygons):
            assert all(one.intersection(other).area < 1e-9 for other in polygons[:i])


def test_a_refused_place_leaves_no_trace() -> None:
    occupancy = parked_path()
    assert occupancy.take(spot(20.0, 0.0), CAR)
    assert not occupancy.take(spot(21.0, 0.0), (2.0, 12.0, 1.7)), 'overlaps the car'
    assert occupancy.take(spot(26.5, 0.0), CAR), 'the refused truck would have covered this place'


def test_traffic_keeps_to_the_right() -> None:
    rng = np.random.default_rng(6)
    line = np.stack([np.arange(-25.0, 36.0), np.zeros(61)], axis=1)
    car = Thing('vehicle.car', 'vehicle', 'car', CAR, (0.5, 0.5, 0.5), speed=3.0)
    ahead = {True: 0, False: 0}
    total = {True: 0, False: 0}
    for _ in range(400):
        place = draw_spot(rng, car, line, 25.0, 0.0)
        left = bool(place.xy[1] > 0)
        total[left] += 1
        ahead[left] += bool(np.cos(place.yaw) > 0.9)
    assert ahead[False] / total[False] > 0.7, 'on the right it drives with the ego car'
    assert ahead[True] / total[True] < 0.3, 'on the left it comes towards it'


def test_yaw_is_wrapped_and_lateral_is_a_distance() -> None:
    rng = np.random.default_rng(7)
    line = np.stack([np.arange(-25.0, 36.0), np.zeros(61)], axis=1)
    thing = Thing('human.pedestrian.adult', 'pedestrian', 'pedestrian', (0.7, 0.7, 1.8), (0.5, 0.5, 0.5), speed=1.0)
    for _ in range(50):
        place = draw_spot(rng, thing, line, 25.0, 0.5)
        assert -np.pi <= place.yaw < np.pi
        assert place.lateral >= 0.0
        assert place.lateral == pytest.approx(abs((place.xy + 0.5 * place.velocity)[1]), abs=1e-9)
