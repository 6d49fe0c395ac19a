"""Old box codes and class orders against worked numbers."""

from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.datasets import NuScenesDataset

from bevdistill.checkpoints.official import BEVFORMER_CLASSES, CLASSES, to_new_boxes, to_own_classes
from bevdistill.checkpoints.official.conventions import classes_of, range_of
from bevdistill.structures import decode_boxes


def test_a_box_by_hand() -> None:
    """A bus, 10 m long and 3 m wide, that looks along +x: yaw is 0 today, -pi / 2 in the old convention."""
    old = torch.tensor([1.0, 2.0, math.log(3), math.log(10), 0.5, math.log(4), -1.0, 0.0, 5.0, 6.0])
    box = decode_boxes(to_new_boxes(old)[None])[0]
    torch.testing.assert_close(box, torch.tensor([1.0, 2.0, 0.5, 10.0, 3.0, 4.0, 0.0, 5.0, 6.0]))


def test_layer_predicts_the_same_boxes(old_convention) -> None:
    layer, states = torch.nn.Linear(7, 10), torch.randn(5, 7)
    old = layer(states)
    weight, bias = to_new_boxes(layer.weight), to_new_boxes(layer.bias)
    new = torch.nn.functional.linear(states, weight, bias)
    torch.testing.assert_close(new, old_convention.codes(old))
    yaw = torch.atan2(old[:, 6], old[:, 7])
    boxes = torch.stack(
        (*old[:, :2].T, old[:, 4], old[:, 2].exp(), old[:, 3].exp(), old[:, 5].exp(), yaw, *old[:, 8:].T), dim=1
    )
    want, got = old_convention.boxes(boxes), decode_boxes(new)
    torch.testing.assert_close(got[:, [0, 1, 2, 3, 4, 5, 7, 8]], want[:, [0, 1, 2, 3, 4, 5, 7, 8]])
    torch.testing.assert_close((got[:, 6] - want[:, 6]).cos(), torch.ones(5))
    assert torch.equal(to_new_boxes(weight), layer.weight)


def test_weights_of_the_loss_move_with_their_slots() -> None:
    assert to_new_boxes(torch.arange(10.0), signed=False).tolist() == [0, 1, 3, 2, 4, 5, 7, 6, 8, 9]


def test_classes_by_name() -> None:
    assert NuScenesDataset.METAINFO['classes'] == CLASSES
    assert sorted(BEVFORMER_CLASSES) == sorted(CLASSES)
    rows = torch.arange(10.0)
    turned = to_own_classes(rows, BEVFORMER_CLASSES)
    assert turned.tolist() == [0, 1, 4, 3, 2, 7, 6, 8, 9, 5]
    assert [BEVFORMER_CLASSES[int(row)] for row in turned] == list(CLASSES)
    assert torch.equal(to_own_classes(rows, CLASSES), rows)


def test_other_numbers_of_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r'expected 10 rows, one per slot of the box code, got shape \(8, 4\)'):
        to_new_boxes(torch.zeros(8, 4))
    with pytest.raises(ValueError, match=r'expected 10 rows, one per class, got shape \(3,\)'):
        to_own_classes(torch.zeros(3), CLASSES)


def test_what_the_file_says_wins() -> None:
    assert classes_of({}, 'bevformer')[0] == BEVFORMER_CLASSES
    assert classes_of({}, 'bevdistill-teacher')[0] == CLASSES
    assert classes_of(dict(CLASSES=list(CLASSES)), 'bevformer') == (CLASSES, 'the file says so')
    with pytest.raises(ValueError, match=r"has the classes \['car'\]; known are the ten of nuScenes"):
        classes_of(dict(CLASSES=['car']), 'bevformer')
    name = 'point_cloud_range = '
    config = f'a = 1\n{name}[-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]\n{name}[\n    0, 0, 0, 1, 2, 3]'
    assert range_of(dict(config=config)) == ((0.0, 0.0, 0.0, 1.0, 2.0, 3.0), 'the file says so')
    assert range_of({})[0] == (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
