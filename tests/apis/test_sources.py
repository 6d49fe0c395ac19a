"""Moments of a folder by a file of calibrations, and of a data set: which, in which order, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from own_data import LIDAR2EGO, made_up_sample, write_samples

from bevdistill.apis import sources
from bevdistill.apis.sources import dataset_moments, folder_moments
from bevdistill.datasets.transforms.images import ResizeCropCameras
from bevdistill.structures.cameras import CAMERAS


def student(uses_history: bool = True, **dataset: Any) -> Any:
    cfg = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=ConfigDict(dataset)))
    return SimpleNamespace(cfg=cfg, stages=[ResizeCropCameras(scale=0.5)], uses_history=uses_history)


TWO = student(cameras=['front', 'left'])


def test_the_cameras_come_in_the_order_of_training(tmp_path: Path) -> None:
    """The file names the left one first. Pixels are those of the file, halved; the LiDAR's place is in the pose."""
    sample = made_up_sample(tmp_path, 1)
    sample['cameras']['left']['intrinsics'] = [[80.0, 0, 20], [0, 80, 10], [0, 0, 1]]
    for name, blue in (('front', 50), ('left', 90)):
        cv2.imwrite(str(tmp_path / sample['cameras'][name]['image']), np.full((32, 48, 3), [blue, 0, 0], np.uint8))
    (found,) = folder_moments(TWO, tmp_path, write_samples(tmp_path, [sample]))
    assert (found.token, found.scene, found.cameras, found.wanted) == ('drive-1', 'drive', ['front', 'left'], True)
    assert found.moment.images.shape == (2, 3, 16, 24)
    assert found.moment.images[:, :, 3, 3].tolist() == [[50, 0, 0], [90, 0, 0]]
    # Boxes are in a frame with x to the right and y ahead, at the LiDAR's place: 1 m ahead of the car, 2 m up; the
    # camera is 1.5 m ahead and 1.5 m up.
    ahead = found.moment.lidar2img @ [1.0, 10.5, -0.5, 1]
    np.testing.assert_allclose(ahead[:, 2], 10)
    np.testing.assert_allclose(ahead[:, :2] / 10, [[(40 * 0.1 + 24) / 2, 16 / 2], [(80 * 0.1 + 20) / 2, 10 / 2]])
    np.testing.assert_allclose(found.moment.state()[:3], [5 + LIDAR2EGO[0][3], 0, LIDAR2EGO[2][3]])


def test_released_weights_read_the_cars_place(tmp_path: Path) -> None:
    released = student(cameras=['front', 'left'], released_can_bus=True)
    (found,) = folder_moments(released, tmp_path, write_samples(tmp_path, [made_up_sample(tmp_path, 1)]))
    np.testing.assert_allclose(found.moment.state()[:7], [5, 0, 0, 1, 1, 1, 1])


def test_moments_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    samples = [made_up_sample(tmp_path, index, scene) for index, scene in ((3, 'b'), (0, 'a'), (1, 'a'))]
    found = list(folder_moments(TWO, tmp_path, write_samples(tmp_path, samples)))
    assert [(entry.token, entry.scene) for entry in found] == [('b-3', 'b'), ('a-0', 'a'), ('a-1', 'a')]


def _twice(samples: list[dict[str, Any]]) -> None:
    samples[1]['token'] = samples[0]['token']


def _renamed(samples: list[dict[str, Any]]) -> None:
    samples[1]['cameras']['frnt'] = samples[1]['cameras'].pop('front')


def _of_another_size(samples: list[dict[str, Any]]) -> None:
    samples[1]['cameras']['front']['intrinsics'] = [[40.0, 0, 60], [0, 40, 16], [0, 0, 1]]


@pytest.mark.parametrize(('change', 'message'), [
    (_twice, "own.jsonl line 2: token 'drive-0' is that of {file} line 1 too; each its own"),
    (_renamed, "own.jsonl line 2: expected the cameras front, left, found no 'front' (did you mean 'frnt'?); name it "
               'so, or choose with --cfg-options test_dataloader.dataset.cameras=[...]'),
    (_of_another_size, 'own.jsonl line 2: image 0: expected an image around the centre of its calibration (60, 16), '
                       'found 48 x 32 pixels; use the image that was calibrated'),
    (list.clear, 'own.jsonl: expected one JSON object per line and moment, found none'),
])  # fmt: skip
def test_a_wrong_line_is_named(change: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    samples = [made_up_sample(tmp_path, index) for index in range(2)]
    change(samples)
    file = write_samples(tmp_path, samples, 'own')
    with pytest.raises(ValueError) as found:
        list(folder_moments(TWO, tmp_path, file))
    assert str(found.value).endswith(message.format(file=file))


def test_without_names_the_cameras_are_those_of_nuscenes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f'expected the cameras {", ".join(CAMERAS)}, found no'):
        list(folder_moments(student(), tmp_path, write_samples(tmp_path, [made_up_sample(tmp_path, 0)])))


FRAMES = [('b1', 'b', 1), ('a0', 'a', 0), ('b0', 'b', 0), ('a2', 'a', 2), ('a1', 'a', 1), ('c0', 'c', 0)]
"""Token, scene and place in it, in the order of a data set that is not in order."""


class Data:
    """A data set whose items are queues of three frames; each frame's image is full of the number of the item."""

    ann_file = 'infos.gz'

    def __init__(self) -> None:
        self.read: list[str] = []

    def __len__(self) -> int:
        return len(FRAMES)

    def get_data_info(self, index: int) -> dict[str, Any]:
        return dict(zip(('token', 'scene_token', 'frame_idx'), FRAMES[index], strict=True))

    def __getitem__(self, index: int) -> dict[str, Any]:
        token, scene, _ = FRAMES[index]
        self.read.append(token)
        frames = torch.stack([torch.full((1, 3, 2, 2), value) for value in (97, 98, index)])
        meta = dict(
            token=token, scene_token=scene, lidar2img=[np.full((1, 4, 4), value) for value in (97, 98, index)],
            can_bus_absolute=[index] * 18,
        )  # fmt: skip
        return dict(inputs=dict(img=frames), data_samples=SimpleNamespace(metainfo=meta | dict(cameras=['front'])))


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Data:
    built = Data()
    monkeypatch.setattr(sources, 'DATASETS', SimpleNamespace(build=lambda config: built))
    return built


@pytest.mark.parametrize(('history', 'asked', 'expected'), [
    (True, dict(scene='a'), 'a0 a1 a2'),
    (False, dict(scene='b'), 'b0 b1'),
    (True, dict(tokens=['a1']), '(a0) a1'),
    (False, dict(tokens=['a1']), 'a1'),
    # In the order in which the data set names their scenes, not in that of the words.
    (True, dict(tokens=['a1', 'b0']), 'b0 (a0) a1'),
    (True, dict(tokens=['a2', 'a0', 'c0']), 'a0 (a1) a2 c0'),
])  # fmt: skip
def test_samples_come_after_their_history(history: bool, asked: dict[str, Any], expected: str, data: Data) -> None:
    found = list(dataset_moments(student(history), **asked))
    assert ' '.join(entry.token if entry.wanted else f'({entry.token})' for entry in found) == expected
    assert data.read == [entry.token for entry in found], 'nothing else is read'
    assert [entry.scene for entry in found] == [entry.token[0] for entry in found]


def test_the_current_frame_of_an_item_is_the_last(data: Data) -> None:
    (found,) = dataset_moments(student(), tokens=['c0'])
    assert found.moment.images.shape == (1, 3, 2, 2) and (found.moment.images == 5).all()
    np.testing.assert_array_equal(found.moment.lidar2img, np.full((1, 4, 4), 5.0))
    assert found.moment.lidar2img.dtype == found.moment.state().dtype == np.float64
    np.testing.assert_array_equal(found.moment.state(), [5.0] * 18)
    assert found.cameras == ['front']


@pytest.mark.parametrize(('asked', 'message'), [
    (dict(scene='d'), 'no scene d in infos.gz, which has 3, among them a, b, c'),
    (dict(tokens=['a1', 'x', 'y']), 'no sample x in infos.gz, which has 6; choose another token'),
])  # fmt: skip
def test_what_is_not_in_the_data_is_said(asked: dict[str, Any], message: str, data: Data) -> None:
    with pytest.raises(ValueError) as found:
        list(dataset_moments(student(), **asked))
    assert str(found.value) == message
    assert not data.read


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no file .*absent\.jsonl; expected one JSON object per line'):
        list(folder_moments(TWO, tmp_path, tmp_path / 'absent.jsonl'))
    file = write_samples(tmp_path, [made_up_sample(tmp_path, 0)])
    line = json.loads(file.read_text())
    (tmp_path / line['cameras']['left']['image']).unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.jsonl line 1, camera left: 'image' names"):
        list(folder_moments(TWO, tmp_path, file))
