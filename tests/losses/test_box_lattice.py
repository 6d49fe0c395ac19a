from __future__ import annotations

import math

import pytest
import torch

from bevdistill.losses.box_lattice import box_lattice, sample_boxes


def test_three_by_three_is_corners_edge_middles_and_centre() -> None:
    # A car of 4 m x 2 m that looks along +y: its front is at larger y, its left at smaller x.
    car = torch.tensor([[10.0, -5.0, 0.0, 4.0, 2.0, 1.5, math.pi / 2, 0.0, 0.0]])
    want = torch.tensor([
        [11.0, -7.0], [11.0, -5.0], [11.0, -3.0],
        [10.0, -7.0], [10.0, -5.0], [10.0, -3.0],
        [9.0, -7.0], [9.0, -5.0], [9.0, -3.0],
    ])
    torch.testing.assert_close(box_lattice(car, 3)[0], want)


def test_corners_are_those_of_mmdet3d(make_targets) -> None:
    from mmdet3d.structures import LiDARInstance3DBoxes

    boxes = make_targets(5).boxes[0]
    corners = LiDARInstance3DBoxes(boxes[:, :7], box_dim=7, origin=(0.5, 0.5, 0.5)).corners[:, [0, 3, 4, 7], :2]
    ours = box_lattice(boxes, 2)
    for own, theirs in zip(ours, corners, strict=True):
        distance = torch.cdist(own, theirs)
        assert float(distance.amin(dim=1).max()) < 1e-4
        assert sorted(distance.argmin(dim=1).tolist()) == [0, 1, 2, 3]


def test_the_lattice_lies_about_the_centre(make_targets) -> None:
    boxes = make_targets(4).boxes[0]
    places = box_lattice(boxes, 5)
    torch.testing.assert_close(places[:, 12], boxes[:, :2])
    torch.testing.assert_close(places.mean(dim=1), boxes[:, :2])


def test_reads_each_samples_own_map(make_outputs, make_targets) -> None:
    outputs, targets = make_outputs(batch=3, rows=7), make_targets(2, 0, 3)
    values = sample_boxes(outputs.bev, outputs.grid, targets, size=3)
    assert values.shape == (5, 9, 4)
    want = []
    for sample, boxes in enumerate(targets.boxes):
        for place in box_lattice(boxes, 3).reshape(-1, 2).tolist():
            want.append(bilinear(outputs.bev[sample], (place[0] + 8) / 2 - 0.5, (place[1] + 6) / 12 * 7 - 0.5))
    torch.testing.assert_close(values.reshape(-1, 4), torch.stack(want), atol=1e-5, rtol=1e-4)
    first = sample_boxes(outputs.bev[:1], outputs.grid, make_targets(2), size=3)
    torch.testing.assert_close(first, values[:2])


def bilinear(map_CHW: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """Value between cell centres, zero outside."""
    value = torch.zeros(len(map_CHW))
    for row in (math.floor(y), math.floor(y) + 1):
        for col in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < map_CHW.shape[1] and 0 <= col < map_CHW.shape[2]:
                value += map_CHW[:, row, col] * (1 - abs(x - col)) * (1 - abs(y - row))
    return value


def test_no_boxes_keep_the_graph(make_outputs, make_targets) -> None:
    outputs = make_outputs(grad=True)
    values = sample_boxes(outputs.bev, outputs.grid, make_targets(0, 0), size=3)
    assert values.shape == (0, 9, 4)
    values.sum().backward()
    assert float(outputs.bev.grad.abs().sum()) == 0


def test_a_lattice_of_one_place_is_refused(make_targets) -> None:
    with pytest.raises(ValueError, match='at least 2, got 1'):
        box_lattice(make_targets(1).boxes[0], 1)
