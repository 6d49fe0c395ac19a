"""Slots of the 18-number vehicle state (`can_bus`) that data sets write and temporal students read.

Layout (BEVFormer, arXiv 2203.17270, and its data set): position or its change in global axes ``[0:3]`` in metres,
ego-to-global quaternion w, x, y, z ``[3:7]``, acceleration ``[7:10]``, rotation rate ``[10:13]``, velocity ``[13:16]``
(ego axes, SI units), yaw ``[16]`` in radians in [0, 2 pi), yaw or its change ``[17]`` in degrees.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CAN_BUS_SIZE = 18
POSITION = slice(0, 3)
ORIENTATION = slice(3, 7)
YAW_RADIANS = 16
YAW_DEGREES = 17


def relative_can_bus(
    absolute: Sequence[NDArray[np.float64]] | NDArray[np.float64], scenes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Compute the ego motion between consecutive members of a queue.

    The first entry and every entry that starts a scene have no history: their change is zero.

    Note:
        The change of yaw is not wrapped and can be near 360 degrees, as the released models saw it. The records
        themselves are never written to: the original edited them in place, so that a frame that appears twice in a
        queue got the absolute position as its change.

    Args:
        absolute: T records with absolute position and yaw, each (18,).
        scenes: T scene tokens.

    Returns:
        Records with position and yaw in degrees as change to the entry before, (T, 18), and whether each entry
        continues the one before, (T,).
    """
    source = np.stack([np.asarray(record, dtype=np.float64) for record in absolute])
    continues = np.array([t > 0 and scenes[t] == scenes[t - 1] for t in range(len(scenes))], dtype=bool)
    change = np.diff(source, axis=0, prepend=source[:1])
    change[~continues] = 0
    relative = source.copy()
    relative[:, POSITION] = change[:, POSITION]
    relative[:, YAW_DEGREES] = change[:, YAW_DEGREES]
    return relative, continues
