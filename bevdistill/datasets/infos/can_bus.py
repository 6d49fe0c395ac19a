"""Read CAN bus records of keyframes from nuScenes' CAN bus expansion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nuscenes.can_bus.can_bus_api import NuScenesCanBus

from ...structures.ego_state import CAN_BUS_SIZE


class CanBusReader:
    """Look up the latest `pose` message at a keyframe.

    Args:
        root: Folder that holds `can_bus/`, or None where there is none: all records are zero then.
    """

    def __init__(self, root: Path | None) -> None:
        self._api = NuScenesCanBus(dataroot=str(root)) if root is not None and (root / 'can_bus').is_dir() else None
        self._scene = ''
        self._times: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._records: NDArray[np.float64] = np.zeros((0, CAN_BUS_SIZE))
        self.scenes_without: set[str] = set()
        """Names of requested scenes without messages."""

    @property
    def available(self) -> bool:
        """Tell whether there is a CAN bus folder."""
        return self._api is not None

    def at(self, scene_name: str, timestamp: int) -> list[float]:
        """Return the record of the last message at or before `timestamp` (microseconds), the first message if none is.

        Entries: position ``[0:3]``, orientation ``[3:7]``, acceleration ``[7:10]``, rotation rate ``[10:13]``,
        velocity ``[13:16]``, two zeros; 18 zeros where the scene has no messages.

        Note:
            The original took acceleration, rotation rate and velocity from the message after this one, at most
            20 ms later; all entries come from one message here.
        """
        if scene_name != self._scene:
            self._load(scene_name)
        if not len(self._times):
            self.scenes_without.add(scene_name)
            return [0.0] * CAN_BUS_SIZE
        last = int(np.searchsorted(self._times, timestamp, side='right')) - 1
        return [float(value) for value in self._records[max(last, 0)]]

    def _load(self, scene_name: str) -> None:
        messages = self._messages(scene_name)
        self._scene = scene_name
        self._times = np.array([message['utime'] for message in messages], dtype=np.int64)
        self._records = np.zeros((len(messages), CAN_BUS_SIZE))
        for record, message in zip(self._records, messages, strict=True):
            record[:16] = [
                *message['pos'],
                *message['orientation'],
                *message['accel'],
                *message['rotation_rate'],
                *message['vel'],
            ]

    def _messages(self, scene_name: str) -> list[dict[str, Any]]:
        """Read the pose messages of a scene; none for scenes that the devkit lists as lacking CAN data."""
        if self._api is None or int(scene_name[-4:]) in self._api.can_blacklist:
            return []
        if not (Path(self._api.can_dir) / f'{scene_name}_pose.json').is_file():
            return []
        messages: list[dict[str, Any]] = self._api.get_messages(scene_name, 'pose')
        return messages
