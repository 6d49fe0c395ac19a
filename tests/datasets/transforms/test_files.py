from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from bevdistill.datasets.transforms.files import read_bytes, read_image, read_points


def test_points(tmp_path: Path) -> None:
    points = np.random.rand(6, 4).astype(np.float32)
    points.tofile(tmp_path / 'a.bin')
    read = read_points(str(tmp_path / 'a.bin'), 'token', 4)
    np.testing.assert_array_equal(read, points)
    read[0] = 0
    (tmp_path / 'empty.bin').write_bytes(b'')
    assert read_points(str(tmp_path / 'empty.bin'), 'token', 4).shape == (0, 4)


def test_image_is_bgr(tmp_path: Path) -> None:
    image = np.zeros((3, 5, 3), dtype=np.uint8)
    image[..., 0] = 200
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    np.testing.assert_array_equal(read_image(str(tmp_path / 'a.png'), 'token', 'color'), image)


@pytest.mark.parametrize('made', [Path.mkdir, lambda path: path.symlink_to('/dev/zero'), lambda path: os.mkfifo(path)])
def test_what_is_no_file_is_not_read(tmp_path: Path, made: Callable[[Path], None]) -> None:
    made(tmp_path / 'a')
    with pytest.raises(ValueError, match=r'sample token: .*a: expected a file as image, found a device, a pipe or'):
        read_bytes(str(tmp_path / 'a'), 'token', 'image')


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'sample token: cannot read image .*No such file.*data create'):
        read_bytes(str(tmp_path / 'a'), 'token', 'image')


def test_broken_content_names_file_and_sample(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'^sample token: .*/a: expected an image, found 8 bytes .*Copy it again'):
        read_image(str(tmp_path / 'a'), 'token', 'color')
    with pytest.raises(ValueError, match=r'^sample token: .*/a: expected float32 numbers, found text\. Copy it again'):
        read_points(str(tmp_path / 'a'), 'token', 5)
    (tmp_path / 'a').write_bytes(bytes(8))
    with pytest.raises(ValueError, match=r'^sample token: .*/a: expected a multiple of 20 bytes .*found 8.*Copy it'):
        read_points(str(tmp_path / 'a'), 'token', 5)
