import numpy as np

from bevdistill.visualization.projection import NEAR, inside_image, project_points, project_segments

from .helpers import front_camera

CAMERA = front_camera(focal=100.0, cx=88.0, cy=32.0)


def test_points_by_hand() -> None:
    # x = 2 m right, y = 10 m ahead, z = 1 m up: u = 88 + 100 * 2 / 10, v = 32 - 100 * 1 / 10.
    pixels, in_front = project_points(np.array([[2.0, 10.0, 1.0], [2.0, -10.0, 1.0]]), CAMERA)
    np.testing.assert_allclose(pixels[0], [108.0, 22.0])
    assert in_front.tolist() == [True, False]
    assert np.isnan(pixels[1]).all()


def test_segment_in_front_is_not_changed() -> None:
    pixels, visible = project_segments(np.array([[[2.0, 10.0, 1.0], [-1.0, 5.0, 0.0]]]), CAMERA)
    np.testing.assert_allclose(pixels[0], [[108.0, 22.0], [68.0, 32.0]])
    assert visible.tolist() == [True]


def test_segment_through_the_camera_plane_is_cut_there() -> None:
    segment = np.array([[1.0, 4.0, 0.0], [1.0, -4.0, 0.0]])
    pixels, visible = project_segments(segment[None], CAMERA)
    np.testing.assert_allclose(pixels[0], [[88 + 100 / 4, 32], [88 + 100 / NEAR, 32]])
    swapped, _ = project_segments(segment[None, ::-1], CAMERA)
    np.testing.assert_allclose(swapped[0], pixels[0, ::-1])
    assert visible.tolist() == [True]


def test_segment_behind_is_invisible_and_keeps_its_place() -> None:
    behind = np.array([[[0.0, -1.0, 0.0], [0.0, -2.0, 0.0]], [[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]])
    pixels, visible = project_segments(behind, CAMERA)
    assert visible.tolist() == [False, True]
    assert np.isnan(pixels[0]).all()
    np.testing.assert_allclose(pixels[1], [[88, 32], [88, 32]])


def test_inside_image() -> None:
    segments = np.array([
        [[1.0, 1.0], [5.0, 5.0]],
        [[-9.0, 1.0], [-1.0, 5.0]],
        [[-9.0, 5.0], [900.0, 5.0]],
        [[np.nan, np.nan], [np.nan, np.nan]],
    ])
    assert inside_image(segments, 176, 64).tolist() == [True, False, True, False]


def test_no_segments() -> None:
    pixels, visible = project_segments(np.zeros((0, 13, 2, 3)), CAMERA)
    assert pixels.shape == (0, 13, 2, 2)
    assert visible.shape == (0, 13)
