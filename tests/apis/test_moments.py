"""Images and matrices of a moment: resized together, the vehicle's pose in its state, errors that name them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bevdistill.apis.moments import Calibration, Detection, Moment, prepare
from bevdistill.datasets.transforms.images import ResizeCropCameras

HALF = [ResizeCropCameras(scale=0.5)]
INTRINSICS = [[60.0, 0, 48], [0, 60, 32], [0, 0, 1]]
AHEAD = (np.eye(4)[[0, 2, 1, 3]] * [[1], [-1], [1], [1]]).tolist()
"""The LiDAR's x is the camera's x, its z the camera's -y, its y the view."""
POSE = [[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 0], [0, 0, 0, 1]]
"""The car's x axis is global y: a heading of 90 degrees."""
LIDAR2EGO = [[1.0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 1, 1], [0, 0, 0, 1]]


def image(height: int = 64, width: int = 96, blue: int = 0) -> np.ndarray:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = blue
    return pixels


def calibration(cameras: int = 1, **changes: Any) -> Calibration:
    return replace(Calibration([INTRINSICS] * cameras, [AHEAD] * cameras), **changes)


def test_images_and_matrices_are_resized_together() -> None:
    """A point in the middle of a pixel of the original lies at half its coordinates; position is the LiDAR's."""
    moment = prepare(HALF, [image()], calibration(ego2global=POSE, lidar2ego=LIDAR2EGO))
    u, v, depth, _ = moment.lidar2img[0] @ [2, 10, 1, 1]
    np.testing.assert_allclose([u / depth, v / depth], [(60 * 0.2 + 48) / 2, (60 * -0.1 + 32) / 2])
    assert tuple(moment.images.shape) == (1, 3, 32, 48)
    np.testing.assert_allclose(moment.state()[[0, 1, 2, 16, 17]], [8, 20, 1, np.pi / 2, 90])


def test_every_camera_keeps_its_place_its_channels_and_its_matrix() -> None:
    """Two cameras of odd and unlike sizes, cropped to one: a crop moves the principal point, each by its own scale."""
    stages = [ResizeCropCameras(size=(30, 40), crop=(3, 5, 21, 35))]
    given = [image(60, 80, blue=7), image(45, 81, blue=200)]
    intrinsics = [INTRINSICS, [[60.0, 0, 40.5], [0, 90, 30], [0, 0, 1]]]
    behind = np.diag([-1.0, -1, 1, 1]) @ AHEAD
    moment = prepare(stages, given, Calibration(intrinsics, [AHEAD, behind]))
    assert moment.images.shape == (2, 3, 21, 35) and moment.images.is_contiguous()
    assert moment.images.dtype == torch.uint8
    assert [int(picture[0].min()) for picture in moment.images] == [7, 200], 'blue stays the first channel'
    assert not moment.images[:, 1:].any()
    first, second = (matrix @ [0, 10, 0, 1] / 10 for matrix in moment.lidar2img)
    np.testing.assert_allclose(first[:2], [48 / 2 - 5, 32 / 2 - 3])
    np.testing.assert_allclose(second[:2], [40.5 * 40 / 81 - 5, 30 * 30 / 45 - 3])
    right = [(matrix @ [1, 10, 0, 1] / 10)[0] for matrix in moment.lidar2img]
    np.testing.assert_allclose(right - np.array([first[0], second[0]]), [6 / 2, -6 * 40 / 81])
    assert given[0].shape == (60, 80, 3), 'what was given stays'
    assert moment.can_bus is None
    np.testing.assert_array_equal(moment.state(), np.zeros(18))


@pytest.mark.parametrize(('changes', 'released', 'position', 'orientation'), [
    (dict(lidar2ego=LIDAR2EGO), False, [8, 20, 1], [0.5**0.5, 0, 0, 0.5**0.5]),
    (dict(), False, [10, 20, 0], [0.5**0.5, 0, 0, 0.5**0.5]),
    # What released weights have seen: the place of the car, and the first number of the quaternion four times.
    (dict(lidar2ego=LIDAR2EGO), True, [10, 20, 0], [0.5**0.5] * 4),
])  # fmt: skip
def test_the_pose_replaces_that_of_the_record(
    changes: dict[str, Any], released: bool, position: list[float], orientation: list[float]
) -> None:
    raw = np.arange(100.0, 118.0)
    moment = prepare(HALF, [image()], calibration(ego2global=POSE, can_bus=raw, **changes), released)
    np.testing.assert_allclose(moment.state()[:7], [*position, *orientation], atol=1e-12)
    np.testing.assert_array_equal(moment.state()[7:16], raw[7:16])
    np.testing.assert_allclose(moment.state()[16:], [np.pi / 2, 90])
    np.testing.assert_array_equal(raw, np.arange(100.0, 118.0))


def test_a_record_without_a_pose_stays_as_it_is() -> None:
    raw = list(range(18))
    moment = prepare(HALF, [image()], calibration(can_bus=raw, lidar2ego=LIDAR2EGO))
    np.testing.assert_array_equal(moment.state(), raw)
    still = prepare(HALF, [image()], calibration(ego2global=np.eye(4)))
    np.testing.assert_array_equal(still.state(), [0, 0, 0, 1] + [0] * 14)


NAN = [[60.0, 0, float('nan')], [0, 60, 32], [0, 0, 1]]


@pytest.mark.parametrize(('images', 'changes', 'name', 'expected', 'found'), [
    ([image(), image()], dict(), 'intrinsics', '(2, 3, 3)', '(1, 3, 3), first [60.  0. 48.  0.]'),
    ([image()], dict(intrinsics=[NAN]), 'intrinsics', '(1, 3, 3)', '(1, 3, 3), first [60.  0. nan  0.]'),
    ([image()], dict(lidar2cam=[np.eye(3)]), 'lidar2cam', '(1, 4, 4)', '(1, 3, 3), first [1. 0. 0. 0.]'),
    ([image()], dict(can_bus=np.zeros(17)), 'can_bus', '(18,)', '(17,), first [0. 0. 0. 0.]'),
    ([image()], dict(ego2global=np.eye(4)[:3]), 'ego2global', '(4, 4)', '(3, 4), first [1. 0. 0. 0.]'),
    ([image()], dict(ego2global=POSE, lidar2ego=[0, 0, 1]), 'lidar2ego', '(4, 4)', '(3,), first [0. 0. 1.]'),
])  # fmt: skip
def test_a_wrong_matrix_is_named(
    images: list[np.ndarray], changes: dict[str, Any], name: str, expected: str, found: str
) -> None:
    with pytest.raises(ValueError) as error:
        prepare(HALF, images, calibration(**changes))
    assert str(error.value) == f'{name}: expected finite numbers of shape {expected}, found shape {found}'


@pytest.mark.parametrize(('pixels', 'shape'), [
    (image()[..., 0], '(64, 96)'), (image()[..., :2], '(64, 96, 2)'), (image()[None], '(1, 64, 96, 3)')
])  # fmt: skip
def test_an_image_of_another_kind_is_named(pixels: np.ndarray, shape: str) -> None:
    with pytest.raises(ValueError) as error:
        prepare(HALF, [image(), pixels], calibration(2))
    assert str(error.value) == f'image 1: expected (height, width, 3), BGR, found shape {shape}'


def test_the_image_that_is_not_the_calibrated_one_is_named() -> None:
    """Width and height are not taken for each other: (48, 32) is inside 96 x 64 and outside 64 x 40."""
    with pytest.raises(ValueError, match=r'^image 1: expected an image around the centre of its calibration'):
        prepare(HALF, [image(), image(20, 30)], calibration(2))
    with pytest.raises(ValueError, match='found 40 x 64 pixels'):
        prepare(HALF, [image(64, 40)], calibration())


def test_images_have_one_size_after_the_stages() -> None:
    with pytest.raises(ValueError, match=r'one size after the stages of the config, found \[\(32, 48\), \(40, 60\)\]'):
        prepare(HALF, [image(80, 120), image()], calibration(2))
    assert prepare(HALF, [image(64, 96), image(65, 96)], calibration(2)).images.shape == (2, 3, 32, 48)


def test_boxes_become_numbers_with_units() -> None:
    boxes = torch.tensor([[1.0, 2, 3, 4, 5, 6, 0.5, 7, 8], [9.0, 8, 7, 6, 5, 4, -0.5, 3, 2]])
    first, second = Detection.listed(boxes, torch.tensor([0.75, 0.25]), torch.tensor([1, 0]), ['car', 'truck'])
    assert first == Detection('truck', 0.75, (1, 2, 3), (4, 5, 6), 0.5, (7, 8))
    assert second == Detection('car', 0.25, (9, 8, 7), (6, 5, 4), -0.5, (3, 2))
    assert Detection.listed(boxes[:0], torch.zeros(0), torch.zeros(0).long(), ['car']) == []
    with pytest.raises(ValueError, match='zip'):
        Detection.listed(boxes, torch.zeros(1), torch.zeros(2).long(), ['car'])


def test_a_state_that_is_known_is_the_state() -> None:
    state = np.arange(18.0)
    assert Moment(torch.zeros(1, 3, 2, 2), np.eye(4)[None], state).state() is state
