"""Predictions of a drive: history from moment to moment, what files and pages hold, a video of the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from bevdistill.apis import predictions
from bevdistill.apis.moments import Detection, Moment
from bevdistill.apis.predictions import Video, as_json, follow, page_of, write_predictions
from bevdistill.apis.sources import NamedMoment

CAR = Detection('car', 0.5, (1.0, 2.0, 3.0), (4.0, 2.0, 1.5), 0.25, (6.0, 7.0))
TRUCK = Detection('truck', 0.25, (-1.0, -2.0, 0.0), (8.0, 3.0, 3.0), -0.5, (0.0, 1.0))


def moment(token: str, scene: str = 'a', wanted: bool = True) -> NamedMoment:
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).view(2, 3, 4, 5)
    matrices = np.stack((np.eye(4), 2 * np.eye(4)))
    return NamedMoment(token, scene, ['front', 'back'], Moment(images, matrices), wanted)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Any]]:
    """Calls of the detector: how many frames its stream has seen, and the moment; it finds a car and a truck."""
    calls: list[tuple[int, Any]] = []

    def detect(student: Any, moments: Any, streams: Any) -> list[list[Detection]]:
        (stream,) = streams
        stream.bev = (stream.bev or 0) + 1
        calls.append((stream.bev, *moments))
        return [[CAR, TRUCK]]

    monkeypatch.setattr(predictions, 'detect', detect)
    return calls


def test_history_ends_with_a_scene(seen: list[tuple[int, Any]]) -> None:
    """What is only history is seen, and not returned; a scene that comes back begins anew."""
    drive = [moment('1', wanted=False), moment('2'), moment('3', 'b'), moment('4')]
    found = list(follow(None, drive, 0.25))
    assert [entry.token for entry, _ in found] == ['2', '3', '4']
    assert [frames for frames, _ in seen] == [1, 2, 1, 1]
    assert [given for _, given in seen] == [entry.moment for entry in drive]
    assert all(boxes == [CAR, TRUCK] for _, boxes in found), 'a score at the threshold counts'
    assert [boxes for _, boxes in follow(None, drive[:2], 0.2501)] == [[CAR]]
    assert list(follow(None, [], 0.0)) == []


def test_a_file_says_what_its_numbers_mean(tmp_path: Path) -> None:
    file = tmp_path / 'new' / 'boxes.json'
    lines = [as_json(moment('1'), [CAR]), as_json(moment('2', 'b'), [])]
    write_predictions(file, lines, classes=['car', 'truck'], threshold=0.2)
    assert file.read_text().endswith('}\n')
    content = json.loads(file.read_text())
    assert list(content) == ['classes', 'threshold', 'frame', 'units', 'moments']
    assert content['classes'] == ['car', 'truck'] and content['threshold'] == 0.2
    assert content['frame'].startswith('LiDAR frame') and 'x to the right of the car, y ahead, z up' in content['frame']
    assert content['units'] == dict(
        centre_m='metres', size_m='length, width, height in metres',
        yaw_rad='radians from +x, counter-clockwise', velocity_m_s='x, y in metres per second',
    )  # fmt: skip
    box = dict(name='car', score=0.5, centre_m=[1, 2, 3], size_m=[4, 2, 1.5], yaw_rad=0.25, velocity_m_s=[6, 7])
    assert content['moments'] == [
        dict(token='1', scene='a', objects=[box]), dict(token='2', scene='b', objects=[])
    ]  # fmt: skip


STUDENT: Any = SimpleNamespace(
    cfg=SimpleNamespace(filename='configs/tiny.py'), detector=SimpleNamespace(grid='its grid'), classes=['truck', 'car']
)


def test_a_page_has_the_cameras_and_the_boxes() -> None:
    page = page_of(STUDENT, moment('t1', 'street'), [CAR, TRUCK], 0.125)
    assert page.title == 'tiny · t1' and page.frame.token == 't1' and page.grid == 'its grid'
    assert page.note == '2 objects with a score of 0.125 or more; scene street' and page.threshold == 0.125
    assert page.classes == ['truck', 'car'] and list(page.predictions.labels) == [1, 0]
    assert list(page.predictions.scores) == [0.5, 0.25]
    np.testing.assert_allclose(page.predictions.boxes.gravity_center, [[1, 2, 3], [-1, -2, 0]], atol=1e-6)
    np.testing.assert_allclose(page.predictions.boxes.tensor[:, 3:], [[4, 2, 1.5, 0.25, 6, 7], [8, 3, 3, -0.5, 0, 1]])
    assert list(page.frame.images) == list(page.frame.lidar2img) == ['front', 'back']
    front, back = page.frame.images.values()
    assert front.shape == (4, 5, 3) and front.dtype == np.uint8
    # The first pixel of the first camera is blue 0, green 20, red 40; of the second, 60 more of each.
    assert front[0, 0].tolist() == [40, 20, 0] and back[0, 0].tolist() == [100, 80, 60]
    assert front[1, 0].tolist() == [45, 25, 5] and front[0, 1].tolist() == [41, 21, 1]
    np.testing.assert_array_equal(page.frame.lidar2img['back'], 2 * np.eye(4))


def test_a_page_without_objects() -> None:
    page = page_of(STUDENT, moment('t1'), [], 0.2)
    assert page.note.startswith('0 objects') and len(page.predictions.boxes) == 0
    assert page.predictions.boxes.tensor.shape == (0, 9) and page.predictions.labels.dtype == np.int64
    assert page_of(STUDENT, moment('t1'), [CAR], 0.2).note.startswith('1 object with')


def test_a_video_of_the_pictures(tmp_path: Path) -> None:
    """Red then blue, 40 wide; half of 15 rows is 7.5, the nearest even number is 8; there only when it is complete."""
    file = tmp_path / 'new' / 'drive.mp4'
    video = Video(file, frames_per_second=4.0, width=40)
    for channel in (0, 2):
        picture = np.zeros((15, 80, 3), np.uint8)
        picture[..., channel] = 255
        video.add(picture)
        assert [path.name[0] for path in file.parent.iterdir()] == ['.'], 'aside, out of the way'
    video.close()
    assert [path.name for path in file.parent.iterdir()] == ['drive.mp4']
    reader = cv2.VideoCapture(str(file))
    size = [reader.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)]
    assert size == [40, 8, 4]
    frames = [reader.read()[1] for _ in range(int(reader.get(cv2.CAP_PROP_FRAME_COUNT)))]
    means = np.array([frame.mean(axis=(0, 1)) for frame in frames])
    np.testing.assert_allclose(means, [[0, 0, 255], [255, 0, 0]], atol=30)  # OpenCV reads BGR; mp4 loses some colour.


def test_a_video_without_pictures_is_no_file(tmp_path: Path) -> None:
    Video(tmp_path / 'none.mp4').close()
    assert not list(tmp_path.iterdir())


def test_an_opencv_without_mp4_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, 'VideoWriter', lambda *given: SimpleNamespace(isOpened=lambda: False))
    monkeypatch.setattr(cv2, 'VideoWriter_fourcc', lambda *given: 0, raising=False)
    monkeypatch.setattr(cv2.VideoWriter, 'fourcc', lambda *given: 0, raising=False)
    with pytest.raises(RuntimeError, match=r'a\.mp4: this OpenCV writes no mp4; leave --video out, or install another'):
        Video(tmp_path / 'a.mp4').add(np.zeros((4, 4, 3), np.uint8))
