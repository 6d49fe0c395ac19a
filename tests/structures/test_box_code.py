from __future__ import annotations

import math

import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from bevdistill.structures import decode_boxes, encode_boxes


def test_worked_example():
    box = torch.tensor([1.0, 2.0, 0.5, 4.0, 2.0, math.e, math.pi / 6, 3.0, -1.0])
    want = torch.tensor([1.0, 2.0, math.log(4), math.log(2), 0.5, 1.0, 0.5, math.sqrt(3) / 2, 3.0, -1.0])
    torch.testing.assert_close(encode_boxes(box), want)


def test_round_trip():
    boxes = torch.randn(3, 7, 9)
    boxes[..., 3:6] = boxes[..., 3:6].abs() + 0.1
    boxes[..., 6] = torch.rand(3, 7) * 2 * math.pi - math.pi
    torch.testing.assert_close(decode_boxes(encode_boxes(boxes)), boxes, atol=1e-5, rtol=1e-5)


def test_heading_runs_along_the_length():
    """mmdet3d >= 1.0: at yaw 0 the length lies along +x, and yaw turns towards +y."""
    code = torch.tensor([0.0, 0.0, math.log(4.0), math.log(2.0), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    corners = LiDARInstance3DBoxes(decode_boxes(code)[None], box_dim=9, origin=(0.5, 0.5, 0.5)).corners[0]
    extent = corners.max(dim=0).values - corners.min(dim=0).values
    torch.testing.assert_close(extent, torch.tensor([2.0, 4.0, 1.0]), atol=1e-5, rtol=1e-5)


def test_seven_numbers_get_nan_velocity():
    code = encode_boxes(torch.ones(2, 7))
    assert code[:, 8:].isnan().all()
    assert code[:, :8].isfinite().all()


def test_empty():
    assert encode_boxes(torch.zeros(0, 9)).shape == (0, 10)
    assert decode_boxes(torch.zeros(0, 10)).shape == (0, 9)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=r'7 or 9 numbers, got shape \(2, 8\)'):
        encode_boxes(torch.zeros(2, 8))
    with pytest.raises(ValueError, match=r'10 numbers, got shape \(2, 9\)'):
        decode_boxes(torch.zeros(2, 9))
