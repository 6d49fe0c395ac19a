"""Made-up sensor data: cameras that see the road, points around the car."""

from __future__ import annotations

import numpy as np
import pytest

from bevdistill.apis.made_up_sensors import MadeUpSensors
from bevdistill.structures.cameras import CAMERAS

DATASET = dict(pipeline=dict(images=dict(type='ImageQueue', transforms=dict(
    load=dict(type='LoadCameraImages'), resize=dict(type='ResizeCropCameras', scale=0.5)))))


def test_made_up_cameras_see_the_road() -> None:
    """A point 15 m ahead is in the middle of the front camera after resizing, and in no other but its neighbours."""
    batch = MadeUpSensors(DATASET, (900, 1600), points=100).batch(0)
    (images,), (sample,) = batch['inputs']['img'], batch['data_samples']
    assert images.shape == (1, 6, 3, 450, 800)
    pixels = sample.metainfo['lidar2img'][0] @ np.array([0.0, 15.0, -0.5, 1.0])
    seen = {
        name for name, (u, v, depth, _) in zip(CAMERAS, pixels, strict=True)
        if depth > 0 and 0 < u / depth < 800 and 0 < v / depth < 450
    }
    assert seen == {'CAM_FRONT'}
    assert pixels[0][0] / pixels[0][2] == pytest.approx(400, abs=40)
    (points,) = batch['inputs']['points']
    assert points.shape == (100, 5)
    assert points[:, :2].norm(dim=1).max() <= 50


def test_a_sensor_that_is_not_asked_for_is_not_there() -> None:
    cameras = MadeUpSensors(DATASET, (32, 64), points=0).batch(0)
    assert cameras['inputs'].keys() == {'img'}
    lidar = MadeUpSensors(DATASET, None, points=7).batch(0)
    assert lidar['inputs'].keys() == {'points'}
    assert 'lidar2img' not in lidar['data_samples'][0].metainfo


def test_frames_are_of_one_drive() -> None:
    sensors = MadeUpSensors(DATASET, None, points=7)
    first, second = (sensors.batch(frame) for frame in range(2))
    metas = [batch['data_samples'][0].metainfo for batch in (first, second)]
    assert [meta['token'] for meta in metas] == ['made-up-0', 'made-up-1']
    assert [meta['frame_idx'] for meta in metas] == [0, 1]
    assert {meta['scene_token'] for meta in metas} == {'made-up'}
    assert first['inputs']['points'][0].equal(second['inputs']['points'][0])
