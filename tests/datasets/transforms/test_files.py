from __future__ import annotations

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


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'sample token: cannot read image .*directory.*data create'):
        read_bytes(str(tmp_path), 'token', 'image')
