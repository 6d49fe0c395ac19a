from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from bevdistill.synthetic.rays import box_hit, ground_height, ground_hit, pixel_ray

EYE = np.eye(3)
ORIGIN = np.zeros(3)


def test_box_hit_faces_and_distance() -> None:
    half = np.array([1.0, 2.0, 3.0])
    assert box_hit(np.array([5.0, 0, 0]), EYE, half, ORIGIN, (1.0, 0.0, 0.0)) == (4.0, 0)
    assert box_hit(np.array([-5.0, 0, 0]), EYE, half, ORIGIN, (-1.0, 0.0, 0.0)) == (4.0, 3)
    assert box_hit(np.array([0, 5.0, 0]), EYE, half, ORIGIN, (0.0, 2.0, 0.0)) == (1.5, 1)
    assert box_hit(np.array([0, 0, -5.0]), EYE, half, ORIGIN, (0.0, 0.0, -1.0)) == (2.0, 5)
    assert box_hit(np.array([5.0, 2.5, 0]), EYE, half, ORIGIN, (1.0, 0.0, 0.0))[0] == np.inf
    assert box_hit(np.array([-5.0, 0, 0]), EYE, half, ORIGIN, (1.0, 0.0, 0.0))[0] == np.inf
    assert box_hit(np.array([0.5, 0, 0]), EYE, half, ORIGIN, (1.0, 0.0, 0.0))[0] == np.inf, 'inside'


def test_box_hit_agrees_with_marching() -> None:
    rng = np.random.default_rng(0)
    met = 0
    for _ in range(60):
        rot = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        centre, half = rng.uniform((3, -3, -3), (9, 3, 3)), rng.uniform(0.5, 2.5, 3)
        d = np.array([1.0, *rng.uniform(-0.4, 0.4, 2)])
        t, face = box_hit(centre, rot, half, ORIGIN, tuple(d))
        steps = np.arange(0, 15, 0.002)
        local = (steps[:, None] * d - centre) @ rot
        inside = (np.abs(local) <= half).all(axis=1)
        if not inside.any():
            grazed = np.isfinite(t) and (np.abs(((t + 0.001) * d - centre) @ rot) <= half).all()
            assert np.isinf(t) or t > 14.9 or not grazed
            continue
        met += 1
        assert t == pytest.approx(steps[inside.argmax()], abs=0.003)
        sign = 1 if face > 2 else -1
        assert ((t * d - centre) @ rot)[face % 3] == pytest.approx(sign * half[face % 3], abs=1e-9)
    assert met > 15


def test_ground_hit_agrees_with_marching() -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:60, 0:60] * 2.0
    heights = (1.5 * np.sin(x / 12) * np.cos(y / 15)).astype(np.float32)
    slope = float(max(np.abs(np.gradient(heights, 2.0)[0]).max(), np.abs(np.gradient(heights, 2.0)[1]).max())) * 1.5
    ground = np.array([0.0, 0.0, 2.0, slope])
    o = np.array([60.0, 60.0, 3.5])
    met = 0
    for _ in range(40):
        angle = rng.uniform(0, 6.28)
        d = (np.cos(angle), np.sin(angle), rng.uniform(-0.4, 0.05))
        t = ground_hit(heights, ground, o, d, 50.0)
        steps = np.arange(0, 50, 0.05)
        gap = [o[2] + s * d[2] - ground_height(heights, 0.0, 0.0, 2.0, o[0] + s * d[0], o[1] + s * d[1]) for s in steps]
        below = np.array(gap) < 0
        if below.any() and np.isfinite(t):
            met += 1
            here = o + t * np.array(d)
            assert abs(here[2] - ground_height(heights, 0.0, 0.0, 2.0, here[0], here[1])) < 0.11
            assert t <= steps[below.argmax()] + 0.06
        elif not below.any():
            assert np.isinf(t) or min(gap) < 0.11
    assert met > 15


def test_upward_rays_never_march() -> None:
    ground = np.array([0.0, 0.0, 1.0, 0.1])
    assert ground_hit(np.zeros((4, 4), np.float32), ground, np.array([1.0, 1.0, 1.0]), (1.0, 0.0, 0.2), 1e3) == np.inf


def test_pixel_ray_looks_through_pixel_centres() -> None:
    cam = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    intrinsic = np.array([10.0, 20.0, 4.5, 3.5])
    assert pixel_ray(cam, intrinsic, 3, 4) == (1.0, 0.0, 0.0)
    assert pixel_ray(cam, intrinsic, 13, 4) == pytest.approx((1.0, 0.0, -0.5))
    assert pixel_ray(cam, intrinsic, 3, 9) == pytest.approx((1.0, -0.5, 0.0))


def test_ground_height_is_bilinear_and_goes_on_at_its_border() -> None:
    rng = np.random.default_rng(2)
    heights = rng.normal(size=(7, 5)).astype(np.float32)
    exact = RegularGridInterpolator((np.arange(7) * 2.0 - 4.0, np.arange(5) * 2.0 + 10.0), heights.astype(float))
    for _ in range(50):
        x, y = rng.uniform(10.0, 17.99), rng.uniform(-4.0, 7.99)
        assert ground_height(heights, 10.0, -4.0, 2.0, x, y) == pytest.approx(float(exact((y, x))), abs=1e-5)
    assert ground_height(heights, 10.0, -4.0, 2.0, -1e3, -1e3) == pytest.approx(heights[0, 0])
    assert ground_height(heights, 10.0, -4.0, 2.0, 1e3, 1e3) == pytest.approx(heights[-1, -1], abs=0.01)


def test_box_hit_does_not_depend_on_the_length_of_the_direction() -> None:
    rng = np.random.default_rng(3)
    rot = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    centre, half = np.array([6.0, 0.5, -0.5]), np.array([1.0, 2.0, 1.5])
    once, face = box_hit(centre, rot, half, ORIGIN, (1.0, 0.1, -0.05))
    twice, same = box_hit(centre, rot, half, ORIGIN, (2.0, 0.2, -0.1))
    assert (once / 2, face) == (pytest.approx(twice), same)


def test_a_ray_along_a_face_hits_only_within_it() -> None:
    half = np.ones(3)
    assert box_hit(np.array([5.0, 0.999, 0]), EYE, half, ORIGIN, (1.0, 0.0, 0.0))[0] == pytest.approx(4.0)
    assert np.isinf(box_hit(np.array([5.0, 1.001, 0]), EYE, half, ORIGIN, (1.0, 0.0, 0.0))[0])


def test_ground_hit_stops_at_its_bound() -> None:
    flat = np.zeros((4, 4), np.float32)
    ground = np.array([-1e3, -1e3, 700.0, 0.001])
    down = (1.0, 0.0, -0.1)
    assert ground_hit(flat, ground, np.array([0.0, 0.0, 1.0]), down, 50.0) == pytest.approx(10.0, abs=0.05)
    assert np.isinf(ground_hit(flat, ground, np.array([0.0, 0.0, 1.0]), down, 5.0))


def test_pixel_rays_project_back_to_their_pixels() -> None:
    rng = np.random.default_rng(4)
    cam = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    fx, fy, cx, cy = 31.0, 47.0, 15.5, 8.25
    for row, col in ((0, 0), (7, 20), (19, 32)):
        local = cam.T @ np.array(pixel_ray(cam, np.array([fx, fy, cx, cy]), row, col))
        assert local[2] == pytest.approx(1.0), 'unit depth'
        assert (fx * local[0] + cx, fy * local[1] + cy) == pytest.approx((col + 0.5, row + 0.5))
