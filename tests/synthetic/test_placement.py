from __future__ import annotations

import numpy as np

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
