"""The 18 numbers of ego motion that a temporal student sees (`can_bus`), absolute and inside a queue.

Layout (BEVFormer, arXiv 2203.17270, and its data set): position or its change in global axes ``[0:3]`` in metres,
ego-to-global quaternion w, x, y, z ``[3:7]``, acceleration ``[7:10]``, rotation rate ``[10:13]``, velocity ``[13:16]``
(ego axes, SI units), yaw ``[16]`` in radians in [0, 2 pi), yaw or its change ``[17]`` in degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

CAN_BUS_SIZE = 18
POSITION = slice(0, 3)
ORIENTATION = slice(3, 7)
YAW_RADIANS = 16
YAW_DEGREES = 17

Array = NDArray[np.float64]


def rotation_matrix(quaternion: Sequence[float] | Array) -> Array:
    """Rotation matrices of quaternions w, x, y, z, which are normalised first.

    Args:
        quaternion: (..., 4).

    Returns:
        (..., 3, 3).
    """
    q = np.asarray(quaternion, dtype=np.float64)
    q = q / np.sqrt((q * q).sum(axis=-1, keepdims=True))
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    entries = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack(entries, axis=-1).reshape(*q.shape[:-1], 3, 3)


def rigid_transforms(quaternions: Sequence[Sequence[float]] | Array, translations: Sequence[Any] | Array) -> Array:
    """Matrices of rotations (w, x, y, z) followed by translations in metres.

    Args:
        quaternions: (S, 4).
        translations: (S, 3).

    Returns:
        (S, 4, 4).
    """
    matrices = np.zeros((len(quaternions), 4, 4))
    matrices[:, :3, :3] = rotation_matrix(np.asarray(quaternions, dtype=np.float64))
    matrices[:, :3, 3] = translations
    matrices[:, 3, 3] = 1
    return matrices


def rigid_transform(quaternion: Sequence[float] | Array, translation: Sequence[float] | Array) -> Array:
    """The 4 x 4 matrix of one rotation and translation, see :func:`rigid_transforms`."""
    matrix: Array = rigid_transforms([quaternion], [translation])[0]  # type: ignore[list-item]
    return matrix


def absolute_can_bus(
    raw: Sequence[float] | Array,
    quaternion: Sequence[float] | Array,
    translation: Sequence[float] | Array,
    released_orientation: bool = False,
) -> Array:
    """Put the pose of a frame into its CAN bus record.

    Yaw is the direction of the ego's x axis on the global ground, ``atan2(v_y, v_x)`` with ``v = R [1, 0, 0]``.

    Args:
        raw: (18,) as the information files hold it; it is not modified.
        quaternion: Ego-to-global rotation w, x, y, z at the LiDAR's time.
        translation: Position in global axes, metres.
        released_orientation: Write w into all four entries of the quaternion. The original assigns a quaternion
            object to the slice, which numpy takes for the scalar w, so this is what released weights have seen.

    Returns:
        (18,): absolute position, quaternion and yaw; entries 7 to 15 as given.

    Raises:
        ValueError: If `raw` does not have 18 entries.
    """
    can_bus = np.array(raw, dtype=np.float64)
    if can_bus.shape != (CAN_BUS_SIZE,):
        raise ValueError(f'a can_bus record has {CAN_BUS_SIZE} numbers, got shape {can_bus.shape}')
    heading = rotation_matrix(quaternion)[:, 0]
    yaw = math.atan2(heading[1], heading[0]) % (2 * math.pi)
    can_bus[POSITION] = translation
    can_bus[ORIENTATION] = quaternion[0] if released_orientation else quaternion
    can_bus[YAW_RADIANS] = yaw
    can_bus[YAW_DEGREES] = math.degrees(yaw)
    return can_bus


def relative_can_bus(absolute: Sequence[Array] | Array, scenes: Sequence[str]) -> tuple[Array, NDArray[np.bool_]]:
    """Ego motion between consecutive members of a queue.

    The first entry and every entry that starts a scene have no history: their change is zero.

    Note:
        The change of yaw is not wrapped and can be near 360 degrees, as the released models saw it. The records
        themselves are never written to: the original edited them in place, so that a frame that appears twice in a
        queue got the absolute position as its change.

    Args:
        absolute: T records of :func:`absolute_can_bus`.
        scenes: T scene tokens.

    Returns:
        Records with position and yaw in degrees as change to the entry before, (T, 18), and whether each entry
        continues the one before, (T,).
    """
    source = np.stack([np.asarray(record, dtype=np.float64) for record in absolute])
    continues = np.array([t > 0 and scenes[t] == scenes[t - 1] for t in range(len(scenes))], dtype=bool)
    change = np.zeros_like(source)
    change[1:] = source[1:] - source[:-1]
    change[~continues] = 0
    relative = source.copy()
    relative[:, POSITION] = change[:, POSITION]
    relative[:, YAW_DEGREES] = change[:, YAW_DEGREES]
    return relative, continues
