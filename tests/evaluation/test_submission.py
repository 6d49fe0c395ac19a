from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from pyquaternion import Quaternion

from bevdistill.evaluation import global_boxes
from bevdistill.evaluation.submission import attribute_of, turned

CLASSES = ['car', 'pedestrian', 'barrier']
RANGES = {'car': 50.0, 'pedestrian': 40.0, 'barrier': 30.0}


def transform(rotation: Quaternion, translation: list[float]) -> np.ndarray:
    matrix = rotation.transformation_matrix
    matrix[:3, 3] = translation
    return matrix


def test_boxes_one_by_one() -> None:
    rng = np.random.default_rng(0)
    lidar2ego = transform(Quaternion(axis=[0, 0, 1], degrees=-90), [0.9, 0, 1.8])
    ego2global = transform(Quaternion(axis=[0.1, -0.05, 1], degrees=130), [600, 1600, 1])
    info = {'token': 't', 'lidar_points': {'lidar2ego': lidar2ego.tolist()}, 'ego2global': ego2global.tolist()}
    tensor = rng.uniform(-35, 35, (40, 9)).astype(np.float32)
    tensor[:, 3:6] = rng.uniform(0.5, 5, (40, 3))
    tensor[:, 6] = rng.uniform(-3, 3, 40)
    detections = {
        'bboxes_3d': LiDARInstance3DBoxes(tensor, box_dim=9),
        'scores_3d': torch.rand(40),
        'labels_3d': torch.randint(3, (40,)),
    }
    boxes = global_boxes(detections, info, CLASSES, RANGES)
    expected = []
    for row, score, label in zip(tensor, detections['scores_3d'], detections['labels_3d'], strict=True):
        centre = row[:3] + np.array([0, 0, row[5] / 2])
        in_ego = lidar2ego @ [*centre, 1]
        if np.hypot(in_ego[0], in_ego[1]) > RANGES[CLASSES[label]]:
            continue
        turn = Quaternion(matrix=ego2global) * Quaternion(matrix=lidar2ego)
        expected.append(
            (
                float(score),
                (ego2global @ in_ego)[:3],
                [row[4], row[3], row[5]],
                turn * Quaternion(axis=[0, 0, 1], radians=row[6]),
                turn.rotate([row[7], row[8], 0])[:2],
                CLASSES[label],
            )
        )
    expected.sort(key=lambda box: -box[0])
    assert 0 < len(expected) < 40
    for box, (score, centre, size, rotation, velocity, name) in zip(boxes, expected, strict=True):
        assert box['detection_score'] == pytest.approx(score)
        np.testing.assert_allclose(box['translation'], centre, atol=1e-4)
        np.testing.assert_allclose(box['size'], size, rtol=1e-6)
        assert Quaternion.absolute_distance(Quaternion(box['rotation']), rotation) < 1e-6
        np.testing.assert_allclose(box['velocity'], velocity, atol=1e-5)
        assert box['detection_name'] == name
        assert box['sample_token'] == 't'


def test_no_boxes() -> None:
    detections = {
        'bboxes_3d': LiDARInstance3DBoxes(torch.zeros(0, 9), box_dim=9),
        'scores_3d': torch.zeros(0),
        'labels_3d': torch.zeros(0, dtype=torch.long),
    }
    info = {'token': 't', 'lidar_points': {'lidar2ego': np.eye(4)}, 'ego2global': np.eye(4)}
    assert global_boxes(detections, info, CLASSES, RANGES) == []


@pytest.mark.parametrize(('column', 'value'), [(0, np.nan), (3, np.inf)])
def test_boxes_that_are_no_numbers(column: int, value: float) -> None:
    tensor = torch.ones(3, 9)
    tensor[1, column] = value
    detections = {
        'bboxes_3d': LiDARInstance3DBoxes(tensor, box_dim=9),
        'scores_3d': torch.tensor([0.5, 0.5, np.nan]),
        'labels_3d': torch.zeros(3, dtype=torch.long),
    }
    info = {'token': 'abc', 'lidar_points': {'lidar2ego': np.eye(4)}, 'ego2global': np.eye(4)}
    with pytest.raises(ValueError, match='sample abc: 2 of 3 predicted boxes are not finite'):
        global_boxes(detections, info, CLASSES, RANGES)


def test_turned() -> None:
    turn = Quaternion([0.3, -0.4, 0.5, 0.6]).normalised
    yaws = np.linspace(-3, 3, 7)
    for q, yaw in zip(turned(yaws, turn.rotation_matrix), yaws, strict=True):
        expected = turn * Quaternion(axis=[0, 0, 1], radians=yaw)
        assert Quaternion.absolute_distance(Quaternion(q), expected) < 1e-9
    assert turned(np.zeros(0), turn.rotation_matrix).shape == (0, 4)
    # Matrices of the information files are float32, orthogonal to 1e-7 only.
    (q,) = turned(np.zeros(1), turn.rotation_matrix.astype(np.float32).astype(np.float64))
    assert Quaternion.absolute_distance(Quaternion(q), turn) < 1e-6
    assert np.linalg.norm(q) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ('name', 'speed', 'attribute'),
    [
        ('car', 1.0, 'vehicle.moving'),
        ('car', 0.1, 'vehicle.parked'),
        ('bus', 0.0, 'vehicle.stopped'),
        ('bicycle', 0.3, 'cycle.with_rider'),
        ('bicycle', 0.0, 'cycle.without_rider'),
        ('pedestrian', 0.3, 'pedestrian.moving'),
        ('pedestrian', 0.0, 'pedestrian.standing'),
        ('barrier', 5.0, ''),
        ('traffic_cone', 0.0, ''),
    ],
)
def test_attributes(name: str, speed: float, attribute: str) -> None:
    assert attribute_of(name, speed) == attribute
