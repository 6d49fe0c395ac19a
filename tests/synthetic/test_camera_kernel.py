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


def buffers(objects: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.full(SHAPE, 100.0), np.full(SHAPE, HIT_NOTHING, np.int64), np.zeros(SHAPE, np.int64),
        np.zeros(objects, np.int64),
    )  # fmt: skip


def test_no_cuboids_leave_the_buffers_alone() -> None:
    depth, hit, face, covered = buffers(0)
    none = np.empty((0, 3)), np.empty((0, 3, 3)), np.empty((0, 3)), np.empty(0, np.int64)
    cast_cuboids(np.zeros(3), CAM, INTRINSIC, *none, depth, hit, face, covered)
    assert (depth == 100.0).all()
    assert (hit == HIT_NOTHING).all()


def test_the_nearer_cuboid_wins_in_either_order() -> None:
    centres = np.array([[10.0, 0, 0], [5.0, 0, 0]])
    for order in ([0, 1], [1, 0]):
        depth, hit, face, covered = buffers(2)
        cast_cuboids(
            np.zeros(3), CAM, INTRINSIC, centres[order], np.stack([np.eye(3)] * 2), np.ones((2, 3)), np.arange(2),
            depth, hit, face, covered,
        )  # fmt: skip
        assert depth[10, 16] == pytest.approx(4.0)
        assert order[hit[10, 16]] == 1
        assert face[10, 16] == 0, 'the face that looks back along x'


@pytest.mark.parametrize('place', [(-5.0, 0, 0), (5.0, 50.0, 0), (5.0, 0, 40.0), (1.0, 0, -30.0)])
def test_what_is_out_of_view_covers_nothing(place: tuple[float, float, float]) -> None:
    depth, hit, face, covered = buffers(1)
    cuboid = np.array([place]), np.eye(3)[None], np.ones((1, 3)), np.zeros(1, np.int64)
    cast_cuboids(np.zeros(3), CAM, INTRINSIC, *cuboid, depth, hit, face, covered)
    assert covered.tolist() == [0]
    assert (hit == HIT_NOTHING).all()


def test_a_cuboid_across_the_image_plane_is_drawn() -> None:
    """A long wall that begins behind the camera: no corner test may drop it."""
    depth, hit, face, covered = buffers(1)
    wall = np.array([[5.0, 2.0, 0.0]]), np.eye(3)[None], np.array([[20.0, 0.2, 3.0]]), np.zeros(1, np.int64)
    cast_cuboids(np.zeros(3), CAM, INTRINSIC, *wall, depth, hit, face, covered)
    assert (hit[10, :10] == 0).all(), 'on the left'
    assert (hit[10, 17:] == HIT_NOTHING).all(), 'and not on the right'
