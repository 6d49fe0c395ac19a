"""Fields of the neutral layout that would be passed over, and cameras whose poses lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bevdistill.datasets.infos.layout_fields import DOWN, check_names, check_upright

CAMERA = dict(image='a.png', intrinsics=[], sensor2ego=[])


@pytest.mark.parametrize('values', [
    CAMERA, CAMERA | dict(weather='rain'), CAMERA | dict(distortion=[0, 0.0]), CAMERA | dict(k1=0, D=[[0], [0]]),
    CAMERA | dict(camera_model='Pinhole', dist=None), CAMERA | dict(lens_distortion=dict(kind='none', k=[0])),
    dict(distortion=[1.0], token='a'),  # Of no camera.
    dict(scene='a', scenes=3),  # The right one is there.
])  # fmt: skip
def test_what_changes_nothing_may_be_there(values: dict[str, Any]) -> None:
    check_names(values, 'a line')


@pytest.mark.parametrize('more', [
    dict(distortion=[0, 0.01]), dict(Undistorted=1), dict(k1=-0.3), dict(xi=0.9), dict(model='fisheye'),
    dict(dist_coeffs=[[0.0], [1e-9]]), dict(D=dict(kind='plumb_bob', values=[0.1])), dict(fisheye=True),
])  # fmt: skip
def test_a_lens_that_bends_is_named(more: dict[str, Any]) -> None:
    (name,) = more
    with pytest.raises(ValueError) as error:
        check_names(CAMERA | more, 'line 3, camera left')
    assert str(error.value) == (
        f"line 3, camera left: '{name}' is not read: undistort the images, and give the intrinsics of the result"
    )


@pytest.mark.parametrize(('name', 'meant'), [
    ('Timestamp', 'timestamp'), ('time_stamp', 'timestamp'), ('center', 'centre'), ('velocty', 'velocity'),
    ('camera', 'cameras'), ('ego2globl', 'ego2global'),
])  # fmt: skip
def test_a_misspelt_field_is_named(name: str, meant: str) -> None:
    with pytest.raises(ValueError) as error:
        check_names({'token': 'a', name: 1}, 'a line')
    assert str(error.value) == f"a line: '{name}' is no field of the layout; did you mean '{meant}'?"


def pose(down: float) -> list[list[float]]:
    """A camera whose y axis has an upward part; the other numbers do not matter."""
    matrix = np.full((4, 4), 9.0)
    matrix[2, 1] = down
    return matrix.tolist()


@pytest.mark.parametrize('poses', [
    {}, dict(front=pose(-1.0)), dict(front=pose(DOWN)), dict(front=pose(1.0), back=pose(-0.9), top=pose(0.0)),
])  # fmt: skip
def test_one_camera_that_stands_upright_is_enough(poses: dict[str, Any]) -> None:
    check_upright(poses, 'a line')


@pytest.mark.parametrize('poses', [dict(front=pose(1.0)), dict(front=pose(-0.49), back=pose(0.0))])
def test_cameras_that_do_not_are_named(poses: dict[str, Any]) -> None:
    message = f"^a line: expected 'sensor2ego' .*found no camera of {', '.join(poses)} whose y"
    with pytest.raises(ValueError, match=message):
        check_upright(poses, 'a line')
