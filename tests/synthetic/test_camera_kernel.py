from __future__ import annotations

import numpy as np
import pytest

from bevdistill.synthetic.camera_kernel import cast_cuboids, cast_ground
from bevdistill.synthetic.rays import HIT_GROUND, HIT_NOTHING, box_hit, pixel_ray

CAM = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
INTRINSIC = np.array([30.0, 30.0, 16.0, 10.0])
SHAPE = (20, 33)


def random_cuboids(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.stack([rng.uniform(-3, 14, count), rng.uniform(-8, 8, count), rng.uniform(-3, 3, count)], axis=1)
    rots = np.stack([np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(count)])
    return centres, rots, rng.uniform(0.2, 1.5, (count, 3))


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_windows_lose_no_pixel(seed: int) -> None:
    """Against a loop over every pixel and every cuboid, those beside and behind the camera included."""
    centres, rots, halves = random_cuboids(seed, 25)
    owners = np.arange(25) // 2
    depth, hit = np.full(SHAPE, 100.0), np.full(SHAPE, HIT_NOTHING, np.int64)
    face, covered = np.zeros(SHAPE, np.int64), np.zeros(13, np.int64)
    o = np.zeros(3)
    cast_cuboids(o, CAM, INTRINSIC, centres, rots, halves, owners, depth, hit, face, covered)
    expected = np.zeros(13, np.int64)
    for r in range(SHAPE[0]):
        for c in range(SHAPE[1]):
            ray = pixel_ray(CAM, INTRINSIC, r, c)
            ts = np.array([box_hit(centres[m], rots[m], halves[m], o, ray)[0] for m in range(25)])
            for owner in set(owners[np.isfinite(ts)].tolist()):
                expected[owner] += 1
            nearest = int(ts.argmin())
            assert hit[r, c] == (nearest if ts[nearest] < 100.0 else HIT_NOTHING)
            assert depth[r, c] == pytest.approx(min(ts[nearest], 100.0))
    assert (hit >= 0).any()
    assert covered.tolist() == expected.tolist()


def test_ground_hides_what_lies_below() -> None:
    depth, hit = np.full(SHAPE, 100.0), np.full(SHAPE, HIT_NOTHING, np.int64)
    face, covered = np.zeros(SHAPE, np.int64), np.zeros(1, np.int64)
    view = np.array([0.0, 0.0, 1.5]), CAM, INTRINSIC
    cuboid = np.array([[10.0, 0, -1.0]]), np.eye(3)[None], np.array([[1.0, 1.0, 1.5]])
    cast_cuboids(*view, *cuboid, np.zeros(1, np.int64), depth, hit, face, covered)
    cast_ground(*view, np.zeros((8, 8), np.float32), np.array([-50.0, -50.0, 20.0, 0.01]), depth, hit)
    rows = np.nonzero(hit == 0)[0]
    assert 0 < (hit == 0).sum() < covered[0]
    assert rows.max() <= 10 + 1.5 / 9.0 * 30
    assert (hit[-1] == HIT_GROUND).all()
    assert (hit[0] == HIT_NOTHING).all()
    assert depth[-1, 16] == pytest.approx(1.5 * 30 / 9.5, abs=0.02)
