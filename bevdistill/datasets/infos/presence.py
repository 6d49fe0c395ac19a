"""Find which files of a nuScenes root are on disk, and count what a partial download lacks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

from mmengine.logging import print_log

from ...for_people import counted
from ...structures.cameras import CAMERAS

CHANNELS = ('LIDAR_TOP', *CAMERAS)
NO_SWEEPS = 'points_sweeps.sweeps_num=0'


class FilesOnDisk:
    """Tell whether files of the table `sample_data` are there; each folder is listed once.

    Args:
        root: nuScenes root.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = root
        self._listed: dict[str, frozenset[str]] = {}

    def __contains__(self, filename: object) -> bool:
        folder, name = os.path.split(str(filename))
        if os.path.isabs(folder) or '..' in folder.split('/'):
            return False  # It leads out of the root.
        if folder not in self._listed:
            path = os.path.join(self._root, folder)
            self._listed[folder] = frozenset(os.listdir(path) if os.path.isdir(path) else ())
        return name in self._listed[folder]


class Absences:
    """Count what was left out of the information files.

    Args:
        channels: Sensors of which the root has files.
    """

    def __init__(self, channels: Iterable[str]) -> None:
        self.channels = tuple(channels)
        self.samples: Counter[str] = Counter()
        self.first = ''
        self.kept = self.sweeps = self.sweeps_lost = 0

    def lacks(self, token: str, missing: Iterable[str]) -> bool:
        """Tell whether a keyframe lacks a file of a sensor that the root has, and count it."""
        lost = [channel for channel in missing if channel in self.channels]
        self.samples.update(lost[:1])
        self.kept += not lost
        self.first = self.first or (f'sample {token} lacks {lost[0]}' if lost else '')
        return bool(lost)

    def sensors(self) -> tuple[bool, bool]:
        """Tell whether records have cameras, and whether they have LiDAR points."""
        return any(camera in self.channels for camera in CAMERAS), CHANNELS[0] in self.channels

    def report(self, where: str) -> None:
        """Log what was left out.

        Raises:
            ValueError: If nothing is left.
        """
        absent = [channel for channel in CHANNELS if channel not in self.channels]
        if absent:
            print_log(f'{where} has no files of {", ".join(absent)}: the records have no such sensor', 'current')
        if self.samples:
            lost = ', '.join(f'{channel} {times}' for channel, times in self.samples.items())
            count = counted(self.samples.total(), 'keyframe')
            print_log(f'left out: {count}, a file is missing ({lost}; {self.first})', 'current')
        if not self.kept:
            raise ValueError(f'{where}: no keyframe has all its files ({self.first}); unpack what holds them')
        if self.sweeps_lost:
            print_log(
                f'{self.sweeps_lost} of {self.sweeps} LiDAR sweeps between keyframes are not on disk and left out. '
                f'Unpack sweeps/LIDAR_TOP and write the files again for denser points; a teacher trains without them '
                f'({NO_SWEEPS} makes all samples alike)',
                'current',
            )
