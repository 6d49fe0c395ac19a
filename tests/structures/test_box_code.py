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
    code = encode_boxes(torch.ones(2, 3, 7))
    assert code.shape == (2, 3, 10)
    assert code[..., 8:].isnan().all()
    assert code[..., :8].isfinite().all()


def test_empty():
    assert encode_boxes(torch.zeros(0, 9)).shape == (0, 10)
    assert decode_boxes(torch.zeros(0, 10)).shape == (0, 9)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=r'7 or 9 numbers, got shape \(2, 8\)'):
        encode_boxes(torch.zeros(2, 8))
    with pytest.raises(ValueError, match=r'10 numbers, got shape \(2, 9\)'):
        decode_boxes(torch.zeros(2, 9))


@pytest.mark.parametrize('yaw', [math.pi, -math.pi, 3 * math.pi, -2.5 * math.pi, 0.0])
def test_any_heading_comes_back_within_one_turn(yaw: float) -> None:
    box = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, yaw, 0.0, 0.0], dtype=torch.float64)
    back = float(decode_boxes(encode_boxes(box))[6])
    assert -math.pi <= back <= math.pi
    assert math.cos(back - yaw) == pytest.approx(1.0)


def test_sine_and_cosine_need_not_be_on_the_unit_circle() -> None:
    """A network predicts both freely; only their direction counts."""
    code = torch.tensor([0.0, 0, 0, 0, 0, 0, 3 * math.sin(0.7), 3 * math.cos(0.7), 0, 0])
    assert float(decode_boxes(code)[6]) == pytest.approx(0.7, abs=1e-6)


def test_gradients_reach_every_slot() -> None:
    codes = torch.randn(2, 3, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(decode_boxes, (codes,))
    boxes = (torch.rand(2, 9, dtype=torch.float64) + 0.5).requires_grad_()
    assert torch.autograd.gradcheck(encode_boxes, (boxes,))


def test_a_box_without_size_is_not_finite() -> None:
    """The losses leave such a target out instead of learning from it."""
    code = encode_boxes(torch.tensor([[0.0, 0, 0, 0, 1, 1, 0, 0, 0]]))
    assert not code.isfinite().all() and code[0, 3:].isfinite().all()
