from __future__ import annotations

import numpy as np
import pytest
from pyquaternion import Quaternion

from bevdistill.datasets import absolute_can_bus, relative_can_bus
from bevdistill.datasets.ego_motion import rigid_transform, rotation_matrix


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


@pytest.mark.parametrize(
    ('rule', 'frames', 'flag'),
    [('bevformer', [0, 1, 2, 3, 4], 'prev_bev_exists'), ('bevdistill', [0, 1, 1, 2], 'prev_bev')],
)
def test_golden_queues(golden, rule: str, frames: list[int], flag: str) -> None:
    meta, arrays = golden('dataset_meta')
    scenes = meta['config']['scenes']
    absolute = [arrays[f'out.{i}.can_bus'] for i in frames]
    can_bus, continues = relative_can_bus(absolute, [scenes[i] for i in frames])
    for t in range(len(frames)):
        np.testing.assert_allclose(can_bus[t], arrays[f'out.union_{rule}.{t}.can_bus'], atol=1e-9)
        assert bool(arrays[f'out.union_{rule}.{t}.{flag}']) == bool(continues[t])


def test_a_frame_that_repeats_has_no_motion_and_is_not_written_to() -> None:
    first = absolute_can_bus(np.zeros(18), [1, 0, 0, 0], [100.0, 0, 0])
    second = absolute_can_bus(np.zeros(18), [1, 0, 0, 0], [105.0, 0, 0])
    kept = first.copy()
    can_bus, continues = relative_can_bus([first, first, first, second], ['a'] * 4)
    assert can_bus[:, 0].tolist() == [0, 0, 0, 5]
    assert continues.tolist() == [False, True, True, True]
    np.testing.assert_array_equal(first, kept)


def test_motion_ends_at_a_scene_border_and_yaw_is_not_wrapped() -> None:
    def record(degrees: float, x: float) -> np.ndarray:
        half = np.radians(degrees) / 2
        return absolute_can_bus(np.arange(18.0), [np.cos(half), 0, 0, np.sin(half)], [x, 0, 0])

    can_bus, continues = relative_can_bus([record(359, 1), record(1, 2), record(40, 50)], ['a', 'a', 'b'])
    np.testing.assert_allclose(can_bus[:, 17], [0, -358, 0], atol=1e-9)
    np.testing.assert_allclose(can_bus[:, 16], np.radians([359, 1, 40]))
    np.testing.assert_allclose(can_bus[:, 0], [0, 1, 0])
    np.testing.assert_array_equal(can_bus[0, 7:16], np.arange(7.0, 16.0))
    assert continues.tolist() == [False, True, False]


def test_a_record_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r'18 numbers, got shape \(7,\)'):
        absolute_can_bus(np.zeros(7), [1, 0, 0, 0], [0, 0, 0])
