"""What fields of a record may hold: values on both sides of each limit, alone and in a column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bevdistill.datasets.infos import rules
from bevdistill.datasets.infos.rules import column, is_rigid, shown

NAN, INF = math.nan, math.inf
EYE = np.eye(4).tolist()


def moved(x: float, last: float = 1.0, **entries: float) -> list[list[float]]:
    matrix = np.eye(4)
    matrix[0, 3], matrix[3, 3] = x, last
    for name, value in entries.items():
        matrix[int(name[1]), int(name[2])] = value
    return matrix.tolist()


def lens(fx: float = 60.0, fy: float = 50.0, cx: float = 48.0, cy: float = 32.0, **entries: float) -> list[list[float]]:
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    for name, value in entries.items():
        matrix[int(name[1]), int(name[2])] = value
    return matrix.tolist()


def padded(matrix: list[list[float]], rows: int) -> list[list[float]]:
    larger = np.eye(4)[:rows]
    larger[:3, :3] = matrix
    return larger.tolist()


BOX = [1.0, 2, 3, 4, 5, 6, 0.5]
GOOD_AND_BAD: dict[str, tuple[list[Any], list[Any]]] = {
    'TEXT': (['', 'a/b'], [None, 3, ['a']]),
    'TOKEN': (['a', 'a b.c', 'x' * 255], ['', '.', '..', 'a/b', 'a\\b', 'a\nb', 'a\0', 'x' * 256, 3, None]),
    'INSIDE': (['a', 'a/b.bin', 'a/..b/c', '.a'], [
        '', '/a', '~/a', '../a', 'a/../b', 'a\\..\\b', 'a/', 'a\0', 'a\nb', 3,
    ]),
    'LAST_PART': (['a', '/x/y/a', '../a'], ['', 'a/', '/', 'a/..', 3, None]),
    'COUNT': ([0, 1, 2**31 - 1], [-1, 2**31, 1.0, True, '1', None]),
    'FLAG': ([True, False], [0, 1, None, 'true']),
    'TIME': ([0, 0.0, 1e11, 1.6e9], [-0.1, 1.1e11, NAN, INF, None, '3', [1.0]]),
    'FEATURES': ([3, 5, 32], [2, 33, 5.0, True, None]),
    'POSE': ([EYE, moved(1e7), moved(-1e7)], [
        moved(1.1e7), moved(NAN), moved(INF), moved(0, last=2), moved(0, x30=0.1), moved(0, x00=1.01), moved(0, x00=-1),
        moved(0, x01=0.1), np.eye(3).tolist(), None, 'pose',
    ]),
    'CALIBRATION': ([moved(100)], [moved(100.1)]),
    'MOTION': ([moved(1000)], [moved(1000.1)]),
    'INTRINSIC': ([lens(), lens(1e5), lens(x01=3.0), padded(lens(), 3), padded(lens(), 4)], [
        lens(0), lens(fy=0), lens(-1), lens(cx=0), lens(cy=-1), lens(1.1e5), lens(x10=1.0), lens(x22=2.0),
        lens(x20=1.0), lens(NAN), lens()[:2], None,
    ]),
    'QUATERNION': ([[1, 0, 0, 0], [0.5, -0.5, 0.5, -0.5], [1.0019, 0, 0, 0]], [
        [1.01, 0, 0, 0], [0.99, 0, 0, 0], [0] * 4, [1, 0, 0], [1, NAN, 0, 0], [1e200] * 4, None,
    ]),
    'POSITION': ([[0, 0, 0], [1e7, -1e7, 3]], [[1.1e7, 0, 0], [0, 0, NAN], [0, 0], ['0', 0, 0]]),
    'CAN_BUS': ([[0.0] * 18], [[0.0] * 17, [INF] + [0.0] * 17]),
    'BOX': ([BOX, [1000, -1000, 0, 200, 200, 200, 10]], [
        [1000.1, *BOX[1:]], [*BOX[:3], 0, 5, 6, 0], [*BOX[:3], 4, 5, -1, 0], [*BOX[:3], 200.1, 5, 6, 0],
        [*BOX[:6], 10.1], [*BOX[:6], -10.1], [*BOX[:6], NAN], BOX[:6], None,
    ]),
    'VELOCITY': ([[0, 0], [200, -200], [NAN, NAN], [NAN, 1]], [[200.1, 0], [0, -INF], [0, 0, 0], None]),
}  # fmt: skip


@pytest.mark.parametrize('name', GOOD_AND_BAD)
def test_both_sides_of_each_limit(name: str) -> None:
    """One by one and together: a value of another kind in a column changes nothing for the others."""
    rule = getattr(rules, name)
    good, bad = GOOD_AND_BAD[name]
    values = [value for pair in zip(good, bad, strict=False) for value in pair]
    values += [*good[len(bad) :], *bad[len(good) :]]
    right = [any(value is each for each in good) for value in values]
    assert [bool(rule.holds([value])[0]) for value in values] == right, [rule.expected, values]
    assert rule.holds(values).tolist() == right
    assert rule.holds(good).all() and not rule.holds(bad).any()
    found = rule.holds([])
    assert found.dtype == bool and found.shape == (0,)


def test_an_optional_field_has_the_same_rule() -> None:
    assert rules.TOKEN.needed and not rules.TOKEN.optional.needed
    assert rules.TOKEN.optional.holds is rules.TOKEN.holds and rules.TOKEN.optional.expected == rules.TOKEN.expected


@pytest.mark.parametrize(('values', 'shape', 'expected'), [
    ([1, 2.5], (), [1.0, 2.5]), ([[1, 2], [3, 4]], (2,), [[1, 2], [3, 4]]), ([], (2,), None),
    ([[1], [1, 2]], (1,), None), (['1'], (), None), ([True], (), None), ([10**400], (), None),
    ([None], (), None), ([[1, 2]], (), None),
])  # fmt: skip
def test_columns(values: list[Any], shape: tuple[int, ...], expected: Any) -> None:
    found = column(values, shape)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.dtype == np.float64 and found.tolist() == expected


def test_rigid_transforms_one_by_one() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    mirror = np.diag([1.0, 1, -1, 1])
    scaled = np.diag([1.0015, 1, 1, 1])
    matrices = np.stack([turn, mirror, scaled, np.full((4, 4), NAN), np.full((4, 4), 1e300)])
    assert is_rigid(matrices).tolist() == [True, False, False, False, False]
    assert is_rigid(np.zeros((0, 4, 4))).shape == (0,)


@pytest.mark.parametrize(('value', 'words'), [
    ([1, 2.5], '[1.0, 2.5]'), (np.arange(9.0), '9 numbers from 0 to 8'),
    ([[NAN, 1], [INF, 2]], '2 x 2 numbers, 2 not finite'),
    ([[1], [1, 2]], 'lists of unequal length'), (np.eye(4), '4 x 4 numbers from 0 to 1'), ([], '[]'),
    ('a\nb', "'a\\nb'"),
    (['x'], "['x']"), (None, 'None'), (3, '3'),
])  # fmt: skip
def test_values_in_a_few_words(value: Any, words: str) -> None:
    assert shown(value) == words


def test_long_values_are_shortened() -> None:
    assert len(shown('x' * 1000)) < 50 and '...' in shown('x' * 1000)
