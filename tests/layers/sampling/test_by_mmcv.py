"""Sampling by mmcv's operator, here in mmcv's form for the host."""

from __future__ import annotations

import pytest
import torch
from sampling_inputs import LEVELS, SIZES, asked

from bevdistill.layers import sample_deformable, sample_images
from bevdistill.layers.sampling import by_mmcv, use_backend
from bevdistill.layers.sampling.by_mmcv import im2col_step


@pytest.mark.parametrize(('batch', 'step'), [(1, 1), (6, 6), (64, 64), (66, 33), (67, 1), (128, 64)])
def test_step_divides_the_batch(batch, step):
    assert im2col_step(batch) == step


def test_mmcv_takes_equal_lists():
    value, locations, weights = asked(6, images=3)
    image, row = torch.arange(6) // 2, torch.tensor([3, 0, 3, 1, 0, 0])
    want = sample_images(value, LEVELS, locations, weights, image, row, 5)
    dense = locations.unflatten(0, (3, 2)), weights.unflatten(0, (3, 2))
    want_dense = sample_deformable(value, LEVELS, *dense)
    with use_backend('mmcv'):
        torch.testing.assert_close(sample_images(value, LEVELS, locations, weights, image, row, 5), want)
        torch.testing.assert_close(sample_deformable(value, LEVELS, *dense), want_dense)


def test_an_image_may_have_no_query_and_a_row_many():
    """All queries add to one row; rows that none adds to are zero."""
    value, locations, weights = (tensor.detach() for tensor in asked(4, images=2))
    row = torch.full((4,), 2)
    got = by_mmcv.images(value, LEVELS, locations, weights, torch.arange(4) // 2, row, 4)
    apart = by_mmcv.images(value, LEVELS, locations, weights, torch.arange(4) // 2, torch.arange(4), 4)
    torch.testing.assert_close(got[2], apart.sum(dim=0))
    assert got.shape == (4, 20) and not got[[0, 1, 3]].any()
    nothing = by_mmcv.images(value, LEVELS, locations[:0], weights[:0], row[:0], row[:0], 3)
    assert nothing.shape == (3, 20) and not nothing.any()


def test_the_operator_gets_what_it_demands(monkeypatch):
    """Contiguous tensors, sizes and starts of the levels, and a step that divides the batch."""
    class OnCuda(torch.Tensor):
        is_cuda = True

    calls = []

    class Operator:
        @staticmethod
        def apply(*given):
            calls.append(given)

    monkeypatch.setattr(by_mmcv, 'MultiScaleDeformableAttnFunction', Operator)
    value, locations, weights = (tensor.detach() for tensor in asked(66, 2, images=66, heads=1, channels=1))
    swapped = [tensor.transpose(0, 1).contiguous().transpose(0, 1) for tensor in (value, locations, weights)]
    assert not any(tensor.is_contiguous() for tensor in swapped)
    by_mmcv.dense(swapped[0].as_subclass(OnCuda), LEVELS, *swapped[1:])
    ((given, shapes, starts, places, shares, step),) = calls
    assert all(tensor.is_contiguous() for tensor in (given, places, shares))
    assert torch.equal(given.as_subclass(torch.Tensor), value) and torch.equal(places, locations)
    assert torch.equal(shares, weights)
    assert shapes.tolist() == [list(size) for size in SIZES] and starts.tolist() == [0, 12, 22] and step == 33
