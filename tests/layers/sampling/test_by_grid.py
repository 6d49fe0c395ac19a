"""Sampling by grids, for exporters, against the kernels of the host."""

from __future__ import annotations

import pytest
import torch
from sampling_inputs import LEVELS, asked

from bevdistill.layers import sample_deformable, sample_views
from bevdistill.layers.sampling import by_grid, use_backend


@pytest.mark.parametrize('softmax', [False, True])
def test_grids_equal_the_host(softmax):
    value, locations, weights = given = asked(2, 7)
    want = sample_deformable(value, LEVELS, locations, weights, softmax)
    with use_backend('grid'):
        got = sample_deformable(value, LEVELS, locations, weights, softmax)
    torch.testing.assert_close(got, want)
    onto = torch.randn_like(want)
    gradients = torch.autograd.grad((got * onto).sum(), given)
    torch.testing.assert_close(gradients, torch.autograd.grad((want * onto).sum(), given))


def views(batch, cams, queries, places=2, heads=2, channels=3):
    """All pairs of cameras and queries, query after query; a third of them are seen."""
    rows = batch * queries
    value = torch.randn(batch * cams, LEVELS.num_tokens, heads, channels).double()
    offsets, logits = torch.randn(rows, heads, 3, 4, 2).double(), torch.randn(rows, heads, 3, 4).double()
    points = torch.rand(rows * cams, places, 2).double() * 1.4 - 0.2
    weight = torch.rand(rows * cams).double() * (torch.rand(rows * cams) < 0.3)
    row = torch.arange(rows).repeat_interleave(cams)
    image = (row // queries) * cams + torch.arange(cams).repeat(rows)
    return (value, offsets, logits), (points, image, row, weight)


@pytest.mark.parametrize(('batch', 'cams', 'queries', 'places'), [
    (1, 1, 1, 1), (1, 6, 5, 2), (2, 3, 7, 4), (3, 2, 1, 2)
])
def test_views_equal_the_host(batch, cams, queries, places):
    given, lists = views(batch, cams, queries, places)
    for tensor in given:
        tensor.requires_grad_()
    want = sample_views(given[0], LEVELS, *given[1:], *lists)
    with use_backend('grid'):
        got = sample_views(given[0], LEVELS, *given[1:], *lists)
    assert got.shape == (batch * queries, 6)
    torch.testing.assert_close(got, want)
    onto = torch.randn_like(want)
    gradients = torch.autograd.grad((got * onto).sum(), given)
    torch.testing.assert_close(gradients, torch.autograd.grad((want * onto).sum(), given))


def test_views_read_neither_images_nor_rows_of_the_list():
    """They follow from its order, so that no exported program depends on them; what nobody sees is zero."""
    given, (points, image, row, weight) = views(2, 3, 4)
    weight[row == 5] = 0.0
    want = by_grid.views(given[0], LEVELS, *given[1:], points, image, row, weight)
    got = by_grid.views(given[0], LEVELS, *given[1:], points, image.fill_(-1), row.fill_(-1), weight)
    assert torch.equal(got, want) and not got[5].any()
    assert not by_grid.views(given[0], LEVELS, *given[1:], points, image, row, torch.zeros_like(weight)).any()
