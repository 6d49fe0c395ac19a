from __future__ import annotations

import torch

from bevdistill.structures.constants import constant, constant_like


def test_a_constant_is_made_once_per_type_and_device() -> None:
    one = constant((1.0, 2.5), torch.float32, torch.device('cpu'))
    assert one.tolist() == [1.0, 2.5] and one.dtype == torch.float32
    assert constant((1.0, 2.5), torch.float32, torch.device('cpu')) is one
    double = constant_like((1.0, 2.5), torch.zeros(3, dtype=torch.float64))
    assert double is not one and double.dtype == torch.float64 and double.tolist() == [1.0, 2.5]
    assert constant_like((1.0, 2.5), torch.zeros(0)) is one


def test_nested_numbers_keep_their_shape() -> None:
    corners = constant(((0, 1), (1, 0), (1, 1)), torch.long, torch.device('cpu'))
    assert corners.shape == (3, 2) and corners[1].tolist() == [1, 0]


def test_a_constant_first_made_in_inference_mode_can_be_trained_with() -> None:
    with torch.inference_mode():
        scale = constant((3.0, 7.0), torch.float32, torch.device('cpu'))
    weight = torch.ones(2, requires_grad=True)
    (weight * scale).sum().backward()
    assert weight.grad is not None and weight.grad.tolist() == [3.0, 7.0]
