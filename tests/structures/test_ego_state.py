from __future__ import annotations

import numpy as np
import pytest

from bevdistill.datasets import absolute_can_bus
from bevdistill.structures.ego_state import relative_can_bus


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
