"""Boxes of the devkit from records and predictions, by hand: global axes, classes of any name, ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from bevdistill.datasets.categories import CategoryMap
from bevdistill.evaluation.ground_truth import ClassBox, devkit_boxes, eval_boxes, truth_boxes, within

QUARTER = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def record(*instances: dict[str, Any]) -> dict[str, Any]:
    """The LiDAR is turned by 90 degrees, 1 m ahead of the car and 2 m up; the car by 90 degrees, at (100, 200).

    (x, y, z) of the LiDAR is (1 - y, x, z + 2) of the car and (100 - x, 201 - y, z + 2) of the world.
    """
    lidar2ego, ego2global = QUARTER.copy(), QUARTER.copy()
    lidar2ego[:3, 3], ego2global[:3, 3] = (1, 0, 2), (100, 200, 0)
    poses = dict(ego2global=ego2global.tolist(), lidar_points=dict(lidar2ego=lidar2ego.tolist()))
    return dict(token='t', instances=list(instances), **poses)


def instance(label: int = 0, x: float = 4.0, y: float = 4.0, **changes: Any) -> dict[str, Any]:
    """A box 5 m from the car, length 4, width 2, height 1.5, that heads to 0.3 rad and drives along x."""
    box = dict(bbox_3d=[x, y, 1, 4, 2, 1.5, 0.3], velocity=[1.0, 0.0], bbox_3d_isvalid=True, bbox_label_3d=label)
    return box | changes


NAMES = dict(Car=0, Cart=1, Dog=2)
CLASSES = CategoryMap(['vehicle', 'Dog'], {'Car': 'vehicle', 'Cart': None})


def names(boxes: list[ClassBox]) -> list[str]:
    return [box.detection_name for box in boxes]


def test_a_box_in_global_axes() -> None:
    (box,) = truth_boxes(record(instance()), NAMES, CLASSES)
    assert (box.sample_token, box.detection_name, box.detection_score) == ('t', 'vehicle', 1.0)
    assert box.translation == pytest.approx((96, 197, 3))
    assert box.ego_translation == pytest.approx((-4, -3, 3)) and box.ego_dist == pytest.approx(5)
    assert box.size == pytest.approx((2, 4, 1.5)), 'width, length, height'
    assert box.velocity == pytest.approx((-1, 0), abs=1e-6)
    half = (0.3 + math.pi) / 2
    assert np.abs(np.dot(box.rotation, [math.cos(half), 0, 0, math.sin(half)])) == pytest.approx(1)


def test_classes_by_category_then_by_number() -> None:
    """A category of the record goes first where it is known; what is mapped to nothing is left out."""
    entries = [
        instance(0), instance(1), instance(2), instance(-1), instance(2, category='Car'), instance(0, category='Dog'),
        instance(2, category='Zebra'), instance(0, category='Cart'), instance(-1, category='vehicle'), instance(7),
    ]  # fmt: skip
    found = truth_boxes(record(*entries), NAMES, CLASSES)
    assert names(found) == ['vehicle', 'Dog', 'vehicle', 'Dog', 'Dog', 'vehicle']


def test_without_categories_the_numbers_are_those_of_nuscenes() -> None:
    """In order: car, truck, trailer, bus, construction vehicle, bicycle, motorcycle, pedestrian, cone, barrier."""
    classes = CategoryMap(['barrier', 'car', 'pedestrian', 'bus'])
    found = truth_boxes(record(*(instance(label) for label in (0, 1, 3, 7, 9))), {}, classes)
    assert names(found) == ['car', 'bus', 'pedestrian', 'barrier']


def test_an_unknown_velocity_stays_unknown_and_with_its_box() -> None:
    """One unknown number is enough; boxes that do not count before it do not shift it."""
    nan = float('nan')
    entries = [
        instance(1), instance(bbox_3d_isvalid=False), instance(x=1.0), instance(x=2.0, velocity=[nan, 0.0]),
        instance(x=3.0, velocity=[0.0, -2.0]),
    ]  # fmt: skip
    found = truth_boxes(record(*entries), NAMES, CLASSES)
    assert [box.translation[0] for box in found] == pytest.approx([99, 98, 97])
    assert [np.isnan(box.velocity).tolist() for box in found] == [[False] * 2, [True] * 2, [False] * 2]
    assert found[2].velocity == pytest.approx((0, 2), abs=1e-6)


def test_a_range_is_of_the_distance_from_the_car() -> None:
    """At exactly 5 m it counts; the LiDAR is nearer to the second, which is 5.83 m from the car."""
    info = record(instance(), instance(2, x=5.0, y=4.0), instance(2))
    assert names(truth_boxes(info, NAMES, CLASSES, dict(vehicle=5.0, Dog=5.5))) == ['vehicle', 'Dog']
    assert names(truth_boxes(info, NAMES, CLASSES, dict(vehicle=4.999, Dog=6.0))) == ['Dog', 'Dog']
    assert len(truth_boxes(info, NAMES, CLASSES)) == 3
    assert truth_boxes(record(), NAMES, CLASSES, dict(vehicle=5.0, Dog=5.5)) == []


def detections(*rows: tuple[float, float, int, float]) -> dict[str, Any]:
    """Predictions as x, y, label and score."""
    boxes = torch.tensor([[x, y, 1, 4, 2, 1.5, 0, 0, 0] for x, y, _, _ in rows]).view(-1, 9)
    return dict(
        bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5)),
        labels_3d=torch.tensor([row[2] for row in rows]).long(), scores_3d=torch.tensor([row[3] for row in rows]),
    )  # fmt: skip


def test_predictions_come_best_first_and_within_the_range_of_their_class() -> None:
    found = devkit_boxes(
        detections((4, 4, 0, 0.25), (1, 1, 1, 0.5), (4, 4, 1, 0.75), (0, 1, 0, 0.125)), record(), ['a', 'b'],
        dict(a=5.0, b=4.0),
    )  # fmt: skip
    assert [(box.detection_name, box.detection_score) for box in found] == [('b', 0.5), ('a', 0.25), ('a', 0.125)]
    assert [box.translation for box in found] == [pytest.approx(p) for p in ((99, 200, 3), (96, 197, 3), (100, 200, 3))]
    assert found[2].ego_translation == pytest.approx((0, 0, 3)), 'above the axle'
    assert len(devkit_boxes(detections((90, 0, 0, 1.0)), record(), ['a'])) == 1
    assert devkit_boxes(detections(), record(), ['a']) == []


def test_within_a_range_of_the_lidar_frame() -> None:
    """x from -1 to 3 and y from 0 to 5, edges excluded; heights do not count."""
    places = [(2.0, 4.0), (3.0, 4.0), (-1.0, 4.0), (2.0, 0.0), (2.0, 5.0), (-0.5, 0.5), (4.0, 2.0)]
    info = record()
    boxes = devkit_boxes(detections(*((*place, 0, 0.5) for place in places)), info, ['a'])
    kept = within(boxes, info, [-1, 0, 50, 3, 5, 60])
    assert [(100 - box.translation[0], 201 - box.translation[1]) for box in kept] == [
        pytest.approx(place) for place in ((2, 4), (-0.5, 0.5))
    ]  # fmt: skip
    assert within(boxes, info, None) is boxes
    assert within([], info, [-1, 0, 0, 3, 5, 0]) == []


def test_samples_without_a_box_stay() -> None:
    boxes = devkit_boxes(detections((1, 1, 0, 0.5), (2, 2, 0, 0.25)), record(), ['any name'])
    collected = eval_boxes({'b': [], 'a': boxes})
    assert collected.sample_tokens == ['b', 'a']
    assert collected['a'] == boxes and collected['b'] == []
    assert ClassBox(detection_name='tram', sample_token='a').detection_score == -1.0
