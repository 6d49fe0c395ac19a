"""Constants that are made once per device and type."""

from __future__ import annotations

import torch

from bevdistill.structures.constants import constant, constant_like

CPU = torch.device('cpu')


def test_numbers_and_nested_numbers() -> None:
    assert constant((1.5, -2.0), torch.float32, CPU).tolist() == [1.5, -2.0]
    nested = constant(((3, 4), (5, 6)), torch.long, CPU)
    assert nested.shape == (2, 2) and nested.dtype == torch.int64
    assert constant((), torch.float32, CPU).shape == (0,)


def test_type_and_device_are_those_of_the_other_tensor() -> None:
    for dtype in (torch.float16, torch.float32, torch.float64):
        like = torch.zeros(2, dtype=dtype)
        made = constant_like((1.0, 2.0), like)
        assert made.dtype == dtype and made.device == like.device


def test_the_same_tensor_is_given_again() -> None:
    """No copy from the host in the second forward pass; another type is another tensor."""
    first = constant((0.25, 0.75), torch.float32, CPU)
    assert constant((0.25, 0.75), torch.float32, CPU) is first
    assert constant_like((0.25, 0.75), torch.zeros(1)) is first
    assert constant((0.25, 0.75), torch.float64, CPU) is not first
    assert constant((0.75, 0.25), torch.float32, CPU) is not first


def test_made_while_testing_it_can_be_used_while_training() -> None:
    """A tensor of inference mode could not be saved for a backward pass."""
    with torch.inference_mode():
        made = constant((0.125, 8.5), torch.float32, CPU)
    assert not made.is_inference()
    weight = torch.ones(2, requires_grad=True)
    (weight * made).sum().backward()
    assert weight.grad is not None and weight.grad.tolist() == [0.125, 8.5]
