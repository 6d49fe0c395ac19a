"""Say what a field of an information record may hold, for a whole column of values at once."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TURN_TOLERANCE = 2e-3
"""Largest entry of ``R R^T - 1``, and error of a quaternion's length; files in float32 keep 1e-6."""
LONGEST = 1e5
"""Pixels of a focal length or a camera's centre."""
FARTHEST = 1e7
"""Metres from the origin of the global frame; UTM coordinates stay below."""


@dataclass(frozen=True)
class Rule:
    """What a field has to be.

    Args:
        expected: In words, for the message.
        holds: From a column of values to whether each is right.
        needed: Whether the field has to be there.
    """

    expected: str
    holds: Callable[[Sequence[Any]], Mask]
    needed: bool = True
    optional: Rule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.needed:
            object.__setattr__(self, 'optional', Rule(self.expected, self.holds, needed=False))


def column(values: Sequence[Any], shape: tuple[int, ...]) -> Array | None:
    """Stack numbers of one shape, (n, *shape); None if any value is of another shape or no number."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, OverflowError):
        return None
    if array.dtype.kind not in 'iuf' or array.shape != (len(values), *shape):
        return None
    return array.astype(np.float64, copy=False)


def numbers(expected: str, shape: tuple[int, ...], test: Callable[[Array], Mask]) -> Rule:
    """Make a rule of numbers of a shape that pass a test, (n, *shape) to (n,)."""

    def holds(values: Sequence[Any]) -> Mask:
        stacked = column(values, shape)
        if stacked is not None:
            return test(stacked)
        # Something is no number: each by itself.
        single = (column([value], shape) for value in values)
        return np.array([one is not None and bool(test(one)[0]) for one in single], dtype=bool)

    return Rule(expected, holds)


def each(expected: str, test: Callable[[Any], bool]) -> Rule:
    """Make a rule that is asked for one value after the other."""
    return Rule(expected, lambda values: np.fromiter(map(test, values), dtype=bool, count=len(values)))


def _finite(array: Array) -> Mask:
    finite: Mask = np.all(np.isfinite(array), axis=tuple(range(1, array.ndim)))
    return finite


def _within(low: float, high: float) -> Callable[[Array], Mask]:
    def within(array: Array) -> Mask:
        inside: Mask = np.all((array >= low) & (array <= high), axis=tuple(range(1, array.ndim)))
        return inside

    return within


def is_rigid(matrices: Array, reach: float = FARTHEST) -> Mask:
    """Tell whether (n, 4, 4) are a turn and a shift of at most `reach` metres, last row 0, 0, 0, 1."""
    finite = _finite(matrices)
    safe = np.where(np.isfinite(matrices), matrices, 0).clip(-1e9, 1e9)
    turns = safe[:, :3, :3]
    orthogonal = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)) < TURN_TOLERANCE
    near = np.abs(safe[:, :3, 3]).max(axis=1) <= reach
    # After clipping, a determinant of a matrix that is no turn may be anything; it is asked together with the others.
    return finite & orthogonal & near & (np.linalg.det(turns) > 0) & (safe[:, 3] == [0, 0, 0, 1]).all(axis=1)


def _intrinsic(values: Sequence[Any]) -> Mask:
    """3 x 3, or 3 x 4 and 4 x 4 with that in its corner, as mmdet3d's files of other data sets have."""

    def test(array: Array) -> Mask:
        focal = (array[:, 0, 0] > 0) & (array[:, 1, 1] > 0) & (array[:, :2, 2] > 0).all(axis=1)
        last = (array[:, 2, :3] == [0, 0, 1]).all(axis=1) & (array[:, 1, 0] == 0)
        return _within(-LONGEST, LONGEST)(array) & focal & last

    for shape in ((3, 3), (4, 4), (3, 4)):
        stacked = column(values, shape)
        if stacked is not None:
            return test(stacked)
    if len(values) <= 1:
        return np.zeros(len(values), dtype=bool)
    return np.array([bool(_intrinsic([value])[0]) for value in values], dtype=bool)


SEPARATORS = frozenset('/\\\0\n')


def _plain_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and not set(value) & SEPARATORS and value not in ('.', '..')


def _inside(value: Any) -> bool:
    """A path that stays below the folder that it is relative to."""
    if not isinstance(value, str) or not value or value[0] in '/~' or '\0' in value or '\n' in value:
        return False
    return '..' not in value.replace('\\', '/').split('/') and value[-1] != '/'


TEXT = each('text', lambda value: isinstance(value, str))
TOKEN = each('a name without slashes', _plain_name)
INSIDE = each('a path below its folder: relative, without ..', _inside)
LAST_PART = each('a path to a file', lambda value: isinstance(value, str) and _plain_name(value.split('/')[-1]))
COUNT = each('a whole number from 0 on', lambda value: type(value) is int and 0 <= value < 2**31)
FLAG = each('true or false', lambda value: type(value) is bool)
TIME = numbers('seconds, a finite number from 0 on', (), _within(0, 1e11))
FEATURES = each('the numbers per point, 3 to 32', lambda value: type(value) is int and 3 <= value <= 32)
POSE = numbers('a rigid 4 x 4 matrix', (4, 4), is_rigid)
CALIBRATION = numbers(
    'a rigid 4 x 4 matrix between sensors of one car, less than 100 m apart', (4, 4), lambda m: is_rigid(m, 100)
)
MOTION = numbers('a rigid 4 x 4 matrix of less than 1000 m', (4, 4), lambda m: is_rigid(m, 1000))
INTRINSIC = Rule(
    'a 3 x 3 matrix with positive focal lengths and centre, at most 1e5 pixels, last row 0, 0, 1', _intrinsic
)
QUATERNION = numbers(
    'a unit quaternion w, x, y, z', (4,),
    lambda q: np.abs(np.sqrt((q.clip(-9, 9) ** 2).sum(axis=1)) - 1) < TURN_TOLERANCE,
)  # fmt: skip
POSITION = numbers('3 finite numbers, metres', (3,), _within(-FARTHEST, FARTHEST))
CAN_BUS = numbers('18 finite numbers', (18,), _within(-FARTHEST, FARTHEST))
BOX = numbers(
    'x, y, z (within 1000 m), length, width, height (above 0, at most 200 m) and yaw, all finite', (7,),
    lambda b: _within(-1000, 1000)(b[:, :3]) & (b[:, 3:6] > 0).all(axis=1) & _within(0, 200)(b[:, 3:6])
    & _within(-10, 10)(b[:, 6:]),
)  # fmt: skip
VELOCITY = numbers(
    '2 numbers, m/s, at most 200, or NaN where unknown', (2,),
    lambda v: ((np.abs(v) <= 200) | np.isnan(v)).all(axis=1),
)  # fmt: skip


def shown(value: Any) -> str:
    """Describe a value in a few words: numbers that are not finite, shape, or a shortened text of it."""
    if isinstance(value, list | tuple | np.ndarray):
        try:
            array = np.asarray(value)
        except ValueError:
            return 'lists of unequal length'
        if array.dtype.kind in 'iuf' and array.ndim and array.size:
            size = ' x '.join(map(str, array.shape))
            wrong = int((~np.isfinite(array)).sum())
            if wrong:
                return f'{size} numbers, {wrong} not finite'
            if array.size <= 8:
                return reprlib.repr(array.tolist())
            return f'{size} numbers from {array.min():g} to {array.max():g}'
    return reprlib.repr(value).replace('\n', ' ')
