"""History of the temporal student on two consecutive real keyframes, through the layout of one's own data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from docs.experiments.keyframe_pair import import_pair
from mmengine.registry import init_default_scope

from bevdistill.datasets import SequenceNuScenesDataset
from bevdistill.datasets.infos import read_infos
from bevdistill.structures import BEVGrid
from bevdistill.structures.ego_state import YAW_DEGREES
from bevdistill.students.bevformer.ego_motion import ego_shift, rotate_history

GRID = BEVGrid((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), 128, 128)
CELL = 0.8
FRONT = 'CAM_FRONT'


@pytest.fixture(scope='module')
def pair(keyframe_pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Information file of the pair."""
    return import_pair(keyframe_pair, tmp_path_factory.mktemp('pair'))


def test_objects_of_the_first_frame_lie_in_their_cells_of_the_second(pair: Path) -> None:
    """A map with one object, turned and looked at as the student does, shows it within a cell of where it is now.

    Three objects stand; the others are moved on by their velocity.
    """
    init_default_scope('mmdet3d')
    samples = [json.loads(line) for line in (pair.parent / 'pair.jsonl').read_text().splitlines()]
    before, now = (
        {box['track']: instance for box, instance in zip(sample['boxes'], info['instances'], strict=True)}
        for sample, info in zip(samples, read_infos(str(pair))['data_list'], strict=True)
    )
    dataset = SequenceNuScenesDataset(
        data_root=str(pair.parent),
        ann_file=pair.name,
        queue_length=2,
        queue_rule='consecutive',
        pipeline=dict(
            boxes=dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
            pack=dict(type='PackBEVInputs'),
        ),
        modality=dict(use_camera=True, use_lidar=False),
        use_valid_flag=True,
        metainfo=dict(classes=['car', 'pedestrian']),
    )
    can_bus = torch.from_numpy(dataset[1]['data_samples'].can_bus)[1:]
    shift = ego_shift(can_bus, GRID)[0] * torch.tensor(GRID.extent[:2])
    assert float(torch.linalg.norm(shift)) == pytest.approx(4.3, abs=0.3)
    standing = 0
    for track in before.keys() & now.keys():
        place, there = (np.array(frame[track]['bbox_3d'][:2]) for frame in (before, now))
        if np.abs([place, there]).max() > 45:
            continue
        column, row = GRID.to_cells(torch.tensor(place).float()).floor().long().tolist()
        history = torch.zeros(1, GRID.num_cells, 1)
        history[0, row * GRID.cols + column] = 1
        turned = rotate_history(history, can_bus[:, YAW_DEGREES], GRID)[0, :, 0].nonzero()[:, 0]
        found = GRID.cell_centres(torch.device('cpu')).flatten(0, 1)[turned].mean(dim=0) - shift
        own_motion = 0.5 * np.array(before[track]['velocity'])
        length = float(np.linalg.norm(own_motion))
        stands = length < 0.3
        standing += int(stands)
        miss = np.abs(found.numpy() + (0.0 if stands else own_motion) - there).max()
        assert miss <= CELL + (0.0 if stands else 0.05 * length), track
    assert standing == 3


def test_boxes_project_into_the_image_where_they_are(pair: Path) -> None:
    """In front of the car, a box and its image by the file's own matrices: sensor to sensor over the global frame."""
    frame = json.loads((pair.parent / 'pair.jsonl').read_text().splitlines()[0])
    info = read_infos(str(pair))['data_list'][0]
    camera = info['images'][FRONT]
    ego2camera = np.linalg.inv(frame['cameras'][FRONT]['sensor2ego'])
    for box, instance in zip(frame['boxes'], info['instances'], strict=True):
        expected = ego2camera @ [*box['centre'], 1]
        found = np.array(camera['lidar2cam']) @ [*instance['bbox_3d'][:3], 1]
        np.testing.assert_allclose(found, expected, atol=1e-3)
