"""Predictions of a drive as JSON, pages and video."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from numpy.typing import NDArray

from ..checkpoints.whole_file import write_whole
from ..for_people import counted
from ..visualization import BoxSet, Frame, Page
from .moments import Detection
from .sources import NamedMoment
from .student import Stream, Student, detect

FRAME = (
    'LiDAR frame: on nuScenes and on imported data x to the right of the car, y ahead, z up; centres are those of the '
    'whole boxes'
)


def follow(
    student: Student, moments: Iterable[NamedMoment], threshold: float
) -> Iterator[tuple[NamedMoment, list[Detection]]]:
    """Detect in moments one after the other, with the history of each scene; yields those that were asked for.

    Args:
        student: Of :func:`~.student.init_student`.
        moments: Scene by scene, each in order of time.
        threshold: Objects that score less are left out.
    """
    scene, stream = None, Stream()
    for entry in moments:
        if entry.scene != scene:
            scene, stream = entry.scene, Stream()
        found = detect(student, [entry.moment], [stream])[0]
        if entry.wanted:
            yield entry, [detection for detection in found if detection.score >= threshold]


def as_json(entry: NamedMoment, found: Sequence[Detection]) -> dict[str, Any]:
    """Return the objects of a moment as plain values."""
    return dict(token=entry.token, scene=entry.scene, objects=[asdict(detection) for detection in found])


def write_predictions(path: Path, moments: Sequence[dict[str, Any]], **about: Any) -> None:
    """Write moments, see :func:`as_json`, into one JSON file, with what their numbers mean."""
    units = dict(
        centre_m='metres',
        size_m='length, width, height in metres',
        yaw_rad='radians from +x, counter-clockwise',
        velocity_m_s='x, y in metres per second',
    )
    content = dict(about, frame=FRAME, units=units, moments=list(moments))
    write_whole((json.dumps(content, indent=1) + '\n').encode(), path)


def page_of(student: Student, entry: NamedMoment, found: Sequence[Detection], threshold: float) -> Page:
    """Describe a page of a moment: its cameras and the scene from above, with what was detected."""
    pixels = entry.moment.images.flip(1).permute(0, 2, 3, 1).to(torch.uint8).numpy()
    rows = [[*box.centre_m, *box.size_m, box.yaw_rad, *box.velocity_m_s] for box in found]
    boxes = LiDARInstance3DBoxes(torch.tensor(rows).view(-1, 9), box_dim=9, origin=(0.5, 0.5, 0.5))
    labels = np.array([student.classes.index(box.name) for box in found], dtype=np.int64)
    return Page(
        title=f'{Path(student.cfg.filename).stem} · {entry.token}',
        frame=Frame(
            entry.token,
            dict(zip(entry.cameras, pixels, strict=True)),
            dict(zip(entry.cameras, entry.moment.lidar2img, strict=True)),
        ),
        grid=student.detector.grid,
        classes=student.classes,
        predictions=BoxSet(boxes, labels, np.array([box.score for box in found])),
        note=f'{counted(len(found), "object")} with a score of {threshold:g} or more; scene {entry.scene}',
        threshold=threshold,
    )


class Video:
    """Write pictures of one size into an mp4 file by OpenCV, aside until it is complete.

    Args:
        path: The file.
        frames_per_second: Of the video; keyframes of nuScenes are half a second apart.
        width: Pixels; the height follows from the first picture.
    """

    def __init__(self, path: Path, frames_per_second: float = 2.0, width: int = 1280) -> None:
        self.path, self.rate, self.width = path, frames_per_second, width
        self.aside = path.with_name(f'.{path.stem}.part.mp4')
        self._writer: Any = None

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture (height, width, 3), RGB.

        Raises:
            RuntimeError: If this OpenCV cannot write mp4.
        """
        import cv2

        if self._writer is None:
            height = round(picture.shape[0] * self.width / picture.shape[1] / 2) * 2
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.size = (self.width, height)
            self._writer = cv2.VideoWriter(str(self.aside), cv2.VideoWriter.fourcc(*'mp4v'), self.rate, self.size)
            if not self._writer.isOpened():
                raise RuntimeError(f'{self.path}: this OpenCV writes no mp4; leave --video out, or install another')
        resized = cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA)
        self._writer.write(cv2.cvtColor(resized, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Finish the file; without pictures there is none."""
        if self._writer is not None:
            self._writer.release()
            self.aside.replace(self.path)
