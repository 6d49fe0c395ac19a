from __future__ import annotations

import numpy as np
import pytest
from pyquaternion import Quaternion

from bevdistill.datasets.ego_pose import absolute_can_bus, rigid_transform, rotation_matrix


def test_rotation_matrix_is_pyquaternions() -> None:
    quaternions = np.random.normal(size=(3, 2, 4))
    matrices = rotation_matrix(quaternions)
    for i in range(3):
        for j in range(2):
            np.testing.assert_allclose(matrices[i, j], Quaternion(quaternions[i, j]).rotation_matrix, atol=1e-12)


def test_rigid_transform_rotates_then_moves() -> None:
    quarter_turn = [np.sqrt(0.5), 0, 0, np.sqrt(0.5)]
    moved = rigid_transform(quarter_turn, [10.0, 0, 0]) @ [1.0, 0, 0, 1]
    np.testing.assert_allclose(moved, [10, 1, 0, 1], atol=1e-12)


def test_golden_absolute_records(golden) -> None:
    meta, arrays = golden('dataset_meta')
    for i in range(meta['config']['frames']):
        can_bus = absolute_can_bus(
            arrays[f'in.{i}.can_bus_raw'],
            arrays[f'in.{i}.ego2global_rotation'],
            arrays[f'in.{i}.ego2global_translation'],
            released_orientation=True,
        )
        np.testing.assert_allclose(can_bus, arrays[f'out.{i}.can_bus'], atol=1e-9)


def test_orientation_is_the_whole_quaternion_unless_the_released_form_is_asked_for() -> None:
    quaternion = [0.5, -0.5, 0.1, 0.7]
    assert absolute_can_bus(np.zeros(18), quaternion, [0, 0, 0])[3:7].tolist() == quaternion
    assert absolute_can_bus(np.zeros(18), quaternion, [0, 0, 0], released_orientation=True)[3:7].tolist() == [0.5] * 4


def test_a_record_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r'18 numbers, got shape \(7,\)'):
        absolute_can_bus(np.zeros(7), [1, 0, 0, 0], [0, 0, 0])
