from __future__ import annotations

import numpy as np
from mmdet3d.datasets.convert_utils import NuScenesNameMapping, nus_attributes, nus_categories, post_process_coords
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.utils.geometry_utils import view_points
from pyquaternion import Quaternion

from bevdistill.datasets.ego_pose import rotation_matrix
from bevdistill.datasets.infos.annotations import outline_bounds, yaw_of
from bevdistill.datasets.infos.names import ATTRIBUTES, CATEGORIES


def test_yaw_is_pyquaternions() -> None:
    quaternions = np.random.normal(size=(20, 4))
    expected = [Quaternion(q).yaw_pitch_roll[0] for q in quaternions]
    np.testing.assert_allclose(yaw_of(rotation_matrix(quaternions)), expected, atol=1e-12)


def test_outlines_match_mmdet3d_box_by_box() -> None:
    rng = np.random.default_rng(1)
    signs = np.array([(x, y, z) for x in (1, -1) for y in (1, -1) for z in (1, -1)]) / 2
    corners = rng.uniform(-12, 12, (300, 1, 3)) + signs * rng.uniform(0.5, 6, (300, 1, 3))
    intrinsics = np.array([[700.0, 0, 800], [0, 900.0, 450], [0, 0, 1]]) + np.zeros((300, 1, 1))
    bounds, visible = outline_bounds(corners, intrinsics)
    for i in range(300):
        before = corners[i][corners[i][:, 2] > 0].T
        expected = post_process_coords(view_points(before, intrinsics[i], True).T[:, :2].tolist())
        assert visible[i] == (expected is not None)
        if expected is not None:
            np.testing.assert_allclose(bounds[i], expected, atol=1e-9)
    assert 50 < visible.sum() < 250


def test_no_boxes() -> None:
    bounds, visible = outline_bounds(np.zeros((0, 8, 3)), np.zeros((0, 3, 3)))
    assert bounds.shape == (0, 4)
    assert visible.shape == (0,)


def test_names_are_those_of_mmdet3d() -> None:
    assert nus_categories == CATEGORIES
    assert nus_attributes == ATTRIBUTES
    for category in [*NuScenesNameMapping, 'animal', 'vehicle.emergency.police']:
        assert (category_to_detection_name(category) or category) == NuScenesNameMapping.get(category, category)
