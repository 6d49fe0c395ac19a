"""Past standing objects of a synthetic world: where history says they were is where they were.

The previous BEV map holds, in each cell, the place of that cell. Turned by :func:`rotate_history` and read where
temporal attention looks - at the present cell plus :func:`ego_shift` - it must give the previous place. Turning
takes the nearest cell, so half a cell on each axis is the bound.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from scipy.spatial.transform import Rotation
from torch.nn import functional

from bevdistill.datasets import SequenceNuScenesDataset
from bevdistill.datasets.infos import read_infos, write_infos
from bevdistill.structures import BEVGrid
from bevdistill.structures.ego_state import YAW_DEGREES
from bevdistill.students.bevformer.ego_motion import ego_shift, rotate_history
from bevdistill.students.bevformer.history import EncodedFrame, state_since
from bevdistill.synthetic.rig import LIDAR, make_rig
from bevdistill.synthetic.settings import CameraSettings, WorldSettings
from bevdistill.synthetic.trajectory import Path as Drive
from bevdistill.synthetic.world import make_world

PERIOD, FRAMES = 0.5, 4
MOTIONS = {
    'forward': (8.0, 0.0, 0.0),
    'sideways': (0.0, 3.0, 0.0),
    'turning left': (6.0, 0.0, 0.5),
    'turning right through north': (5.0, 0.0, -0.6),
    'spinning': (0.0, 0.0, 0.7),
    'backwards and sideways in a turn': (-3.0, -2.0, 0.4),
}
"""Metres per second ahead and to the left, radians per second."""

GRIDS = {
    'demo': BEVGrid((-25.6, -25.6, -5, 25.6, 25.6, 3), 32, 32),
    'released base': BEVGrid((-51.2, -51.2, -5, 51.2, 51.2, 3), 200, 200),
    'released tiny': BEVGrid((-51.2, -51.2, -5, 51.2, 51.2, 3), 50, 50),
    'oblong cells': BEVGrid((-51.2, -51.2, -5, 51.2, 51.2, 3), 64, 160),
    'oblong range': BEVGrid((-30, -50, -5, 30, 50, 3), 125, 60),
    'off centre': BEVGrid((-20, -15, -5, 30, 60, 3), 90, 71),
}


def drive(ahead: float, left: float, rate: float) -> Drive:
    times = np.arange(-0.01, PERIOD * FRAMES, 0.01)
    yaw = 0.3 + rate * times
    steps = ahead * np.stack([np.cos(yaw), np.sin(yaw)], 1) + left * np.stack([-np.sin(yaw), np.cos(yaw)], 1)
    xy = np.array([700.0, 1200.0]) + np.cumsum(steps * 0.01, axis=0)
    return Drive(times, xy, yaw, np.full(len(times), ahead), np.full(len(times), rate))


@pytest.fixture(scope='module')
def world():
    return make_world(np.random.default_rng(3), WorldSettings(), np.array([700.0, 1200.0]), (-1.0, 3.0))


@pytest.fixture(scope='module')
def template(synthetic_infos: Path) -> dict[str, Any]:
    return read_infos(synthetic_infos / 'nuscenes_infos_val.msgpack.gz')


@pytest.fixture(scope='module')
def make_dataset(world, template, tmp_path_factory: pytest.TempPathFactory):
    """The data set of a drive through the world; with ``None``, of the drive that the world itself has drawn."""
    tmp_path = tmp_path_factory.mktemp('drive')

    def make(motion: str | None, **options: Any) -> SequenceNuScenesDataset:
        moved = world if motion is None else replace(world, path=drive(*MOTIONS[motion]))
        lidar = make_rig(np.random.default_rng(0), CameraSettings())[LIDAR].to_ego
        records = []
        for index in range(FRAMES):
            pose = moved.ego_pose(index * PERIOD)
            records.append(
                pickle.loads(pickle.dumps(template['data_list'][0]))
                | dict(
                    sample_idx=index,
                    token=f'frame{index}',
                    scene_token='drive',
                    frame_idx=index,
                    timestamp=template['data_list'][0]['timestamp'] + index * PERIOD,
                    lidar_sweeps=[],
                    ego2global=pose.tolist(),
                    ego2global_translation=pose[:3, 3].tolist(),
                    ego2global_rotation=Rotation.from_matrix(pose[:3, :3]).as_quat(scalar_first=True).tolist(),
                )
            )
            records[-1]['lidar_points']['lidar2ego'] = lidar.tolist()
        write_infos(tmp_path / 'drive.msgpack.gz', template | dict(data_list=records))
        return SequenceNuScenesDataset(
            data_root=str(tmp_path), ann_file='drive.msgpack.gz', filter_empty_gt=False, use_valid_flag=False, **options
        )

    return make


@pytest.fixture(scope='module')
def make_drive(make_dataset):
    """Its records, read once."""

    @cache
    def make(motion: str | None, **options: Any) -> list[dict[str, Any]]:
        dataset = make_dataset(motion, **options)
        return [dataset.get_data_info(index) for index in range(FRAMES)]

    return make


def lidar_to_global(info: dict[str, Any]) -> np.ndarray:
    return info['ego2global'] @ np.array(info['lidar_points']['lidar2ego'])


@pytest.fixture(scope='module')
def still(world) -> np.ndarray:
    """Centres of the world's standing objects, (M, 3), global."""
    centres, _ = world.poses(0.0)
    return centres[(world.velocity == 0).all(axis=1)]


def in_lidar(still: np.ndarray, info: dict[str, Any]) -> torch.Tensor:
    """Global points in the LiDAR frame of a record, (M, 2)."""
    local = np.linalg.inv(lidar_to_global(info)) @ np.c_[still, np.ones(len(still))].T
    return torch.from_numpy(local[:2].T).float()


def looked_up(state: np.ndarray, grid: BEVGrid, now: torch.Tensor, **options: Any) -> torch.Tensor:
    """Where history says that objects at `now` (M, 2) were, (M, 2) metres."""
    can_bus = torch.from_numpy(np.asarray(state, dtype=np.float32))[None]
    places = grid.cell_centres().flatten(0, 1)[None]
    turned = rotate_history(places, can_bus[:, YAW_DEGREES], grid, **options)
    reference = grid.normalise(now) + ego_shift(can_bus, grid)
    maps = turned.transpose(1, 2).unflatten(-1, (grid.rows, grid.cols))
    return functional.grid_sample(maps, reference[None, :, None] * 2 - 1, align_corners=False)[0, :, :, 0].T


def errors(infos: list[dict[str, Any]], still: np.ndarray, grid: BEVGrid, **options: Any) -> torch.Tensor:
    """Error of history in cells (x, y), for each object and pair of neighbouring frames of a drive."""
    found = []
    for index, (before, now) in enumerate(pairwise(infos), start=1):
        past = EncodedFrame(index - 1, before['can_bus'], torch.zeros(1, 1))
        sample = Det3DDataSample(metainfo=dict(frame_idx=index, scene_token='drive', can_bus_absolute=now['can_bus']))
        was, here = in_lidar(still, before), in_lidar(still, now)
        # Two cells of margin: bilinear reading at the edge mixes in the zeros outside.
        inner = (grid.to_cells(was) > 2).all(1) & (grid.to_cells(was) < torch.tensor([grid.cols, grid.rows]) - 2).all(1)
        corner = grid.extent[0] / 2 * 0.7
        inner &= (here.norm(dim=1) < corner) & (was.norm(dim=1) < corner) & grid.contains(here)
        got = looked_up(state_since(past, sample), grid, here[inner], **options)
        found.append((got - was[inner]) / torch.tensor(grid.cell_size))
    return torch.cat(found)


@pytest.mark.parametrize('grid', GRIDS)
@pytest.mark.parametrize('motion', [*MOTIONS, None], ids=str)
def test_a_standing_object_is_found_in_its_previous_cell(still, make_drive, motion: str | None, grid: str):
    error = errors(make_drive(motion), still, GRIDS[grid])
    assert len(error) > 3
    # 1 % of a cell for the slope of the ground, which the plane map cannot know.
    assert error.abs().max() < 0.51


@pytest.mark.parametrize('motion', ['turning left', 'backwards and sideways in a turn'])
def test_the_released_centre_is_right_on_200_cells_only(still, make_drive, motion: str):
    infos = make_drive(motion)
    largest = {
        name: float(errors(infos, still, grid, rotate_center=[100, 100]).abs().max()) for name, grid in GRIDS.items()
    }
    assert largest.pop('released base') < 0.51
    assert min(largest.values()) > 2, largest


def test_the_released_vehicle_state_moves_with_the_rear_axle(still, make_drive):
    """Right in a straight line; a metre from the LiDAR's motion, hence off in a turn."""
    grid = GRIDS['released base']
    straight, turning = (
        errors(make_drive(motion, released_can_bus=True), still, grid) for motion in ('forward', 'turning left')
    )
    assert straight.abs().max() < 0.51
    assert 0.51 < turning.abs().max() < 1.1


@pytest.mark.parametrize('motion', MOTIONS)
def test_queues_hold_the_same_motion_as_the_memory(make_dataset, make_drive, motion: str):
    """Training's can_bus of neighbouring frames is what testing computes from the absolute states."""
    dataset = make_dataset(motion, queue_length=FRAMES, queue_rule='release')
    dataset.queue_indices = lambda index: list(range(index + 1))
    item = dataset.prepare_data(FRAMES - 1)
    assert item['history_exists'].tolist() == [False, *[True] * (FRAMES - 1)]
    for index, (before, now) in enumerate(pairwise(make_drive(motion)), start=1):
        sample = Det3DDataSample(metainfo=dict(can_bus_absolute=now['can_bus']))
        state = state_since(EncodedFrame(index - 1, before['can_bus'], torch.zeros(1, 1)), sample)
        np.testing.assert_allclose(item['can_bus'][index], state, rtol=1e-6, atol=1e-6)
