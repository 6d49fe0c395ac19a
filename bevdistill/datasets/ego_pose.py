"""Rigid transforms from quaternions, and the ego pose in a frame's CAN bus record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..structures.ego_state import CAN_BUS_SIZE, ORIENTATION, POSITION, YAW_DEGREES, YAW_RADIANS

Array = NDArray[np.float64]


def rotation_matrix(quaternion: Sequence[float] | Array) -> Array:
    """Turn quaternions w, x, y, z into rotation matrices, after normalising them.

    Note:
        scipy's ``Rotation`` differs by up to 1e-15, which would change the bytes of information files, and with them
        the fingerprint by which studies tell data apart.

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
    """Build the matrices of rotations (w, x, y, z) followed by translations in metres.

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
    """Build the 4 x 4 matrix of one rotation and translation, see :func:`rigid_transforms`."""
    matrix: Array = rigid_transforms([quaternion], [translation])[0]  # type: ignore[list-item]
    return matrix


def absolute_can_bus(
    raw: Sequence[float] | Array,
    quaternion: Sequence[float] | Array,
    translation: Sequence[float] | Array,
    released_orientation: bool = False,
) -> Array:
    """Write the pose of a frame into its CAN bus record.

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
