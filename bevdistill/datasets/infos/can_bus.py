"""Read CAN bus records of keyframes from nuScenes' CAN bus expansion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nuscenes.can_bus.can_bus_api import NuScenesCanBus

from ...structures.ego_state import CAN_BUS_SIZE
from .rules import FARTHEST, column, shown

SIGNALS = {'pos': 3, 'orientation': 4, 'accel': 3, 'rotation_rate': 3, 'vel': 3}
"""Signals of a pose message in the order of a record, and how many numbers each has."""


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
        check_messages(messages, f'{scene_name}_pose.json')
        self._times = np.array([message['utime'] for message in messages], dtype=np.int64)
        self._records = np.zeros((len(messages), CAN_BUS_SIZE))
        for record, message in zip(self._records, messages, strict=True):
            record[:16] = np.concatenate([message[signal] for signal in SIGNALS])

    def _messages(self, scene_name: str) -> list[dict[str, Any]]:
        """Read the pose messages of a scene; none for scenes that the devkit lists as lacking CAN data."""
        if self._api is None or int(scene_name[-4:]) in self._api.can_blacklist:
            return []
        if not (Path(self._api.can_dir) / f'{scene_name}_pose.json').is_file():
            return []
        try:
            messages: list[dict[str, Any]] = self._api.get_messages(scene_name, 'pose')
        except (ValueError, RecursionError, AssertionError) as error:  # The devkit asserts that it is a list.
            file = Path(self._api.can_dir) / f'{scene_name}_pose.json'
            found = error or 'no list'
            raise ValueError(f'{file}: expected a list of messages as JSON, found {found}. Unpack it again') from error
        return messages


def check_messages(messages: Any, source: str) -> None:
    """Check the pose messages of a scene: their signals, finite numbers, and times that grow.

    Raises:
        ValueError: Names file, message and signal, what was expected and found.
    """
    again = 'Unpack the CAN bus expansion again, or leave this scene out of it'
    if not isinstance(messages, list):
        raise ValueError(f'{source}: expected a list of messages, found {shown(messages)}. {again}')
    before = -1
    for position, message in enumerate(messages):
        where = f'{source}: message {position}'
        if not isinstance(message, dict):
            raise ValueError(f'{where}: expected a dict of signals, found {shown(message)}. {again}')
        time = message.get('utime')
        if type(time) is not int or not before <= time < 2**63:
            raise ValueError(f'{where}: utime: expected microseconds from {before} on, found {shown(time)}. {again}')
        before = time
        for signal, length in SIGNALS.items():
            stacked = column([message.get(signal)], (length,))
            if stacked is None or not (np.abs(stacked) <= FARTHEST).all():
                found = shown(message.get(signal))
                expected = f'{length} finite numbers, at most {FARTHEST:g}'
                raise ValueError(f'{where}: {signal}: expected {expected}, found {found}. {again}')
