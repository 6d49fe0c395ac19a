from __future__ import annotations

import numpy as np
import pytest

from bevdistill.datasets import absolute_can_bus
from bevdistill.structures.ego_state import (
    CAN_BUS_SIZE,
    ORIENTATION,
    POSITION,
    YAW_DEGREES,
    YAW_RADIANS,
    relative_can_bus,
)


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


def test_slots_do_not_overlap_and_lie_inside_the_record() -> None:
    places = [*range(CAN_BUS_SIZE)]
    slots = [*places[POSITION], *places[ORIENTATION], YAW_RADIANS, YAW_DEGREES]
    assert len(slots) == len(set(slots)) == 9 and set(slots) <= set(places)


@pytest.mark.parametrize('scenes', [['a'], ['a', 'b'], ['a', 'a', 'b', 'b', 'b', 'a']])
def test_matches_a_loop_over_frames_and_slots(scenes: list[str]) -> None:
    absolute = np.random.default_rng(3).normal(size=(len(scenes), CAN_BUS_SIZE)) * 100
    expected = absolute.copy()
    for t in range(len(scenes)):
        for slot in (0, 1, 2, 17):
            continues = t > 0 and scenes[t] == scenes[t - 1]
            expected[t, slot] = absolute[t, slot] - absolute[t - 1, slot] if continues else 0
    relative, _ = relative_can_bus(absolute, scenes)
    np.testing.assert_array_equal(relative, expected)
    assert relative.dtype == np.float64 and relative.shape == (len(scenes), CAN_BUS_SIZE)
