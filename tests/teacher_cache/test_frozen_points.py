from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

import bevdistill  # noqa: F401
from bevdistill.teacher_cache import frozen_points, leaf_datasets

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LOAD = dict(type='LoadLidarPoints')
ROTATE = dict(type='GlobalRotScaleTrans', rot_range=[-0.4, 0.4])


def test_of_the_distillation_config() -> None:
    cfg = Config.fromfile(str(CONFIGS / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'))
    (leaf,) = leaf_datasets(cfg.train_dataloader.dataset)
    before = deepcopy(leaf.pipeline)
    frozen = frozen_points(leaf.pipeline)
    assert list(frozen) == ['points', 'points_sweeps', 'points_range']
    assert frozen['points_sweeps']['test_mode'] is True
    assert leaf.pipeline == before
    (val,) = leaf_datasets(cfg.val_dataloader.dataset)
    assert frozen_points(val.pipeline) == frozen


def test_refusals_are_named_at_once() -> None:
    pipeline = dict(
        points=LOAD,
        points_sample=dict(type='PointSample', num_points=9),
        turn=dict(type='RandomApply', transforms=[ROTATE]),
        flip=dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5),
        boxes=dict(type='LoadAnnotations3D', with_bbox_3d=True),
    )
    with pytest.raises(ValueError, match='cannot be cached for this pipeline') as caught:
        frozen_points(pipeline)
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert lines[1].strip() == "stage 'points_sample' (PointSample) is not known to give the same points each time"
    assert "stage 'turn' (GlobalRotScaleTrans) moves LiDAR space or changes its objects at random" in lines[2]
    assert "stage 'flip' (RandomFlip3D) moves LiDAR space" in lines[3]
    assert 'or train with the live teacher' in lines[4]


@pytest.mark.parametrize('name', ['ObjectSample', 'ObjectNoise', 'RandomJitterPoints', 'GlobalRotScaleTrans'])
def test_augmentations_of_points(name: str) -> None:
    with pytest.raises(ValueError, match=rf"stage 'points_more' \({name}\) moves LiDAR space"):
        frozen_points(dict(points=LOAD, points_more=dict(type=name)))


def test_subclasses_are_what_their_base_is() -> None:
    from mmdet3d.datasets.transforms import RandomFlip3D

    class OwnFlip(RandomFlip3D):
        """A flip of one's own."""

    with pytest.raises(ValueError, match='OwnFlip'):
        frozen_points(dict(points=LOAD, flip=OwnFlip()))


@pytest.mark.parametrize(
    ('pipeline', 'message'),
    [
        ([LOAD], 'needs a pipeline of named stages .* got list'),
        (dict(images=dict(type='LoadCameraImages')), "no stage of the pipeline loads points .* begin with 'points'"),
        (dict(points=dict(type='LoadNothing')), 'there is no transform LoadNothing'),
    ],
)
def test_pipelines_that_cannot_be_read(pipeline: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frozen_points(pipeline)


def test_leaves() -> None:
    leaf = dict(pipeline={}, ann_file='a')
    both = dict(type='ConcatDataset', datasets=[leaf, dict(type='CBGSDataset', dataset=leaf)])
    assert list(leaf_datasets(dict(type='SeededDataset', dataset=both))) == [leaf, leaf]
    with pytest.raises(ValueError, match='without pipeline, dataset or datasets'):
        list(leaf_datasets(dict(type='Odd')))
