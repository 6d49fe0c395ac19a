"""Images and points that are broken in every way."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bevdistill.datasets.contents import as_points, check_row_length, check_size, image_header


def encoded(kind: str, mode: str = 'RGB') -> bytes:
    return saved(Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)).convert(mode), kind)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(Image.new('RGB', (48, 32)), kind, exif=exif)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'BMP'])
def test_a_whole_image(kind: str) -> None:
    assert image_header(encoded(kind)) == (kind, 48, 32, 'RGB')


def test_padding_after_an_image_is_no_fault() -> None:
    assert image_header(encoded('JPEG') + b'\0' * 64).kind == 'JPEG'
    assert image_header(turned('JPEG', 1)).kind == 'JPEG'


@pytest.mark.parametrize(('content', 'found'), [
    (b'', 'found an empty file'),
    (b'<html>not found</html>', 'found 22 bytes that are none'),
    (b'\0' * 4096, 'found 4096 bytes that are none'),
    (encoded('JPEG')[:40], 'bytes that are none'),
    (encoded('JPEG')[:-600], 'a whole JPEG file, found one that is cut off'),
    (encoded('PNG')[:-200], 'a whole PNG file, found one that is cut off'),
    (encoded('JPEG', 'L'), r'three channels \(RGB\), found mode L'),
    (encoded('JPEG', 'CMYK'), 'found mode CMYK'),
    (encoded('PNG', 'RGBA'), 'found mode RGBA'),
    (saved(Image.new('1', (12_000, 12_000)), 'PNG'), 'pixels, found'),
    (turned('JPEG', 6), r'an upright image, found one that its EXIF entry turns \(orientation 6\); write it upright'),
    (turned('PNG', 3), r'orientation 3'),
])  # fmt: skip
def test_a_broken_image_is_told(content: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=f'^expected .*{found}'):
        image_header(content)


def test_points() -> None:
    points = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    np.testing.assert_array_equal(as_points(points.tobytes(), 4), points)
    assert as_points(b'', 5).shape == (0, 5)
    points[:, 3] = 1.6e9  # a column of times
    assert len(as_points(points.tobytes(), 4)) == 7


def changed(value: float) -> Any:
    points = np.zeros((8, 5), dtype=np.float32)
    points[3, 1] = value
    return points


@pytest.mark.parametrize(('content', 'found'), [
    (np.zeros((7, 4), np.float32).tobytes(), 'a multiple of 20 bytes .*found 112'),
    (b'1.0 2.0 3.0 4.0 5.0\n' * 5, 'found text'),
    (np.random.default_rng(0).normal(0, 20, (8, 5)).tobytes(), 'of 16 points: NaN, infinite, or another number type'),
    (changed(np.nan).tobytes(), '1 of 8 points'),
    (changed(np.inf).tobytes(), '1 of 8 points'),
    (changed(-1e6).tobytes(), '1 of 8 points'),
])  # fmt: skip
def test_broken_points_are_told(content: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=f'^expected .*{found}'):
        as_points(content, 5)


def cloud(features: int, points: int = 8400) -> bytes:
    """x, y, z, intensity, ring, time and further numbers, in the order in which 32 beams turn."""
    random, ring = np.random.default_rng(0), np.arange(points) % 32
    x, y = random.uniform(-50, 50, (2, points))
    rows = [x, y, ring / 10 - 2, random.integers(0, 255, points), ring, random.uniform(0, 0.1, points), ring // 16]
    return np.column_stack(rows).astype(np.float32)[:, :features].tobytes()


@pytest.mark.parametrize('features', [3, 4, 5, 6, 7])
def test_rows_of_another_length_are_noticed(features: int) -> None:
    check_row_length(cloud(features), features)
    for told in {3, 4, 5, 6, 7} - {features, features // 2}:
        message = rf'^expected {told} numbers per point, found a file whose numbers fit (\d+ or )*{features}( or \d+)*$'
        with pytest.raises(ValueError, match=message):
            check_row_length(cloud(features), told)


def test_few_points_and_noise_are_not_judged() -> None:
    check_row_length(cloud(4, 500), 5)
    check_row_length(np.random.default_rng(0).uniform(-20, 20, 9000).astype(np.float32).tobytes(), 5)
    check_row_length(b'', 5)


def test_an_image_smaller_than_what_was_calibrated() -> None:
    check_size(48, 32, [[40, 0, 24], [0, 40, 16], [0, 0, 1]], 'a')
    with pytest.raises(ValueError, match=r'^a: expected an image around the centre .*\(24, 16\), found 24 x 16 pixels'):
        check_size(24, 16, [[40, 0, 24], [0, 40, 16], [0, 0, 1]], 'a')


@pytest.mark.parametrize(('focal', 'right'), [((40.0, 40.0), True), ((0.7, 1.6), False), ((40.0, 0.5), False)])
def test_focal_lengths_are_pixels(focal: tuple[float, float], right: bool) -> None:
    cam2img = np.array([[focal[0], 0, 24.0], [0, focal[1], 16.0], [0, 0, 1]])
    if right:
        check_size(48, 32, cam2img, 'image 0')
        return
    with pytest.raises(ValueError, match=r'^image 0: expected focal lengths in pixels of an image of 48 x 32, found '):
        check_size(48, 32, cam2img, 'image 0')
