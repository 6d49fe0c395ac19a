"""Moments to detect in: of a folder of images with a file of calibrations, or of a data set, scene by scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmdet3d.registry import DATASETS

from ..datasets.categories import nearest
from ..datasets.infos.neutral import read_samples, record_of
from ..datasets.transforms.files import read_image
from ..structures.cameras import CAMERAS
from .moments import Calibration, Moment, prepare
from .student import Student


@dataclass(frozen=True)
class NamedMoment:
    """Moment of a drive.

    Args:
        token: Name of the moment.
        scene: Name of the drive; a new one starts a new history.
        cameras: Names of the cameras, in the order of the images.
        moment: Images and matrices.
        wanted: Whether it was asked for, or only is history.
    """

    token: str
    scene: str
    cameras: Sequence[str]
    moment: Moment
    wanted: bool = True


def folder_moments(student: Student, folder: Path, calibration: Path) -> Iterator[NamedMoment]:
    """Read images of a folder by a file of calibrations in the layout of one's own data (docs/own_data.md).

    Args:
        student: Says which cameras it wants, and how they are resized.
        folder: What the paths of the file start from.
        calibration: One JSON object per line and moment; those of a scene in order of time. Boxes and LiDAR points
            need not be there.

    Yields:
        The moments, in the order of the file.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a line is wrong; names file, line and field.
    """
    data = student.cfg.test_dataloader.dataset
    names = list(data.get('cameras') or CAMERAS)
    released = bool(data.get('released_can_bus', False))
    seen: dict[str, str] = {}
    for where, sample in read_samples(calibration):
        record = record_of(sample, where, folder)
        if record['token'] in seen:
            raise ValueError(f"{where}: token '{record['token']}' is that of {seen[record['token']]} too; each its own")
        seen[record['token']] = where
        known = record['images']
        for name in names:
            if name not in known:
                raise ValueError(
                    f"{where}: expected the cameras {', '.join(names)}, found no '{name}'{nearest(name, known)}; name "
                    'it so, or choose with --cfg-options test_dataloader.dataset.cameras=[...]'
                )
        cameras = [known[name] for name in names]
        images = [read_image(str(folder / camera['img_path']), record['token'], 'color') for camera in cameras]
        matrices = Calibration(
            [camera['cam2img'] for camera in cameras],
            [camera['lidar2cam'] for camera in cameras],
            record['ego2global'],
            record['lidar_points']['lidar2ego'],
        )
        try:
            moment = prepare(student.stages, images, matrices, released)
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        yield NamedMoment(record['token'], record['scene_token'], names, moment)
    if not seen:
        raise ValueError(f'{calibration}: expected one JSON object per line and moment, found none')


def dataset_moments(student: Student, tokens: Sequence[str] = (), scene: str | None = None) -> Iterator[NamedMoment]:
    """Read samples of the config's test data, after those of their scene that are their history.

    Args:
        student: Its config says where the data are.
        tokens: Names of samples.
        scene: Token of a scene, all samples of which are wanted.

    Yields:
        The moments, each scene in order.

    Raises:
        ValueError: If a sample or scene is not in the data.
    """
    dataset = DATASETS.build(student.cfg.test_dataloader.dataset)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    scenes = {str(info['scene_token']) for info in infos}
    if scene is not None and scene not in scenes:
        some = ', '.join(sorted(scenes)[:3])
        raise ValueError(f'no scene {scene} in {dataset.ann_file}, which has {len(scenes)}, among them {some}')
    owner = {str(info['token']): str(info['scene_token']) for info in infos}
    unknown = [token for token in tokens if token not in owner]
    if unknown:
        raise ValueError(f'no sample {unknown[0]} in {dataset.ann_file}, which has {len(owner)}; choose another token')
    wanted = set(tokens) or {token for token, own in owner.items() if own == scene}
    for current in dict.fromkeys(owner[token] for token in owner if token in wanted):
        places = [place for place, info in enumerate(infos) if str(info['scene_token']) == current]
        places.sort(key=lambda place: int(infos[place]['frame_idx']))
        last = max(at for at, place in enumerate(places) if str(infos[place]['token']) in wanted)
        for place in places[: last + 1]:
            asked = str(infos[place]['token']) in wanted
            if asked or student.uses_history:
                yield _of_item(dataset[place], current, asked)


def _of_item(item: dict[str, Any], scene: str, wanted: bool) -> NamedMoment:
    """Read the current frame of an item of the data set."""
    meta = item['data_samples'].metainfo
    moment = Moment(
        item['inputs']['img'][-1],
        np.asarray(meta['lidar2img'], dtype=np.float64)[-1],
        np.asarray(meta['can_bus_absolute'], dtype=np.float64),
    )
    return NamedMoment(str(meta['token']), scene, list(meta.get('cameras') or CAMERAS), moment, wanted)
