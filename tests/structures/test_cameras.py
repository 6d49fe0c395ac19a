"""The order of the cameras has one owner, and those that hold their own agree with it."""

from __future__ import annotations

from bevdistill.datasets.infos.names import DEFAULT_PREFIX
from bevdistill.structures.cameras import CAMERAS
from bevdistill.synthetic import rig
from bevdistill.visualization.camera_view import MONTAGE


def test_the_order_of_released_weights() -> None:
    """BEVFormer's camera embeddings are stored in mmdet3d's order: the front three, then the back three."""
    assert CAMERAS == (
        'CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK', 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT',
    )  # fmt: skip


def test_the_synthetic_rig_has_the_same_cameras() -> None:
    assert set(rig.CAMERAS) == set(CAMERAS)


def test_each_camera_has_its_folder() -> None:
    assert [DEFAULT_PREFIX[camera] for camera in CAMERAS] == [f'samples/{camera}' for camera in CAMERAS]
    assert list(DEFAULT_PREFIX)[:2] == ['pts', 'sweeps']
    assert list(DEFAULT_PREFIX)[2:] == list(CAMERAS)


def test_each_camera_has_its_place_on_a_page() -> None:
    assert sorted(name for row in MONTAGE for name in row) == sorted(CAMERAS)
