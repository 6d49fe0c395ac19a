"""Sampling on the host against torch's operators and loops."""

from __future__ import annotations

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
from sampling_inputs import LEVELS, SIZES, asked
from torch.nn import functional

from bevdistill.layers import FeatureLevels, sample_deformable, sample_images, sample_views


def test_sampling_equals_loops():
    sizes, heads, channels = [(3, 4), (2, 5)], 2, 3
    value = torch.randn(2, 22, heads, channels)
    where, weight = torch.rand(2, 4, heads, 2, 3, 2) * 1.4 - 0.2, torch.randn(2, 4, heads, 2, 3)
    output = sample_deformable(value, FeatureLevels.of(sizes), where, weight)
    for b in range(2):
        for q in range(4):
            for m in range(heads):
                total = torch.zeros(channels)
                for level, tokens in enumerate(value[b].split([12, 10])):
                    image = tokens[:, m].view(*sizes[level], channels).permute(2, 0, 1)[None]
                    for p in range(3):
                        point = where[b, q, m, level, p].view(1, 1, 1, 2) * 2 - 1
                        sample = functional.grid_sample(image, point, align_corners=False).flatten()
                        total += weight[b, q, m, level, p] * sample
                torch.testing.assert_close(output[b, q, m * channels : (m + 1) * channels], total)


@pytest.mark.parametrize('threads', [1, 3, 8])
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_same_as_torch_operators(dtype, threads):
    given = asked(2, 7, channels=16, dtype=dtype)
    want = multi_scale_deformable_attn_pytorch(given[0], SIZES, *given[1:])
    onto = torch.randn_like(want)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        got = sample_deformable(given[0], LEVELS, *given[1:])
        gradients = torch.autograd.grad((got * onto).sum(), given)
    finally:
        torch.set_num_threads(before)
    check = dict(atol=1e-10, rtol=1e-10) if dtype == torch.float64 else dict(atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(got, want, **check)
    torch.testing.assert_close(gradients, torch.autograd.grad((want * onto).sum(), given), **check)


def test_lists_of_queries():
    """Images with different numbers of queries, rows with several and with none."""
    value, locations, weights = given = asked(5, images=3)
    image, row = torch.tensor([0, 0, 2, 2, 2]), torch.tensor([3, 0, 3, 1, 0])
    got = sample_images(value, LEVELS, locations, weights, image, row, 5)
    want = torch.zeros_like(got)
    for a in range(5):
        one = slice(a, a + 1)
        at = int(image[a])
        sampled = sample_deformable(value[at : at + 1], LEVELS, locations[one][None], weights[one][None])
        want[row[a]] += sampled[0, 0]
    torch.testing.assert_close(got, want)
    assert not got[2].any() and not got[4].any()
    onto = torch.randn_like(want)
    gradients = torch.autograd.grad((got * onto).sum(), given)
    torch.testing.assert_close(gradients, torch.autograd.grad((want * onto).sum(), given))


def test_views_equal_loops():
    """Rows with several images, with one, with none; sampling point p starts from place p mod V."""
    value = torch.randn(2, LEVELS.num_tokens, 2, 3, dtype=torch.float64)
    offsets, logits = torch.randn(4, 2, 3, 4, 2).double(), torch.randn(4, 2, 3, 4).double()
    points, weight = torch.rand(4, 2, 2).double(), torch.tensor([0.5, 0.5, 1.0, 0.0]).double()
    image, row = torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 2, 3])
    want = torch.zeros(4, 6, dtype=torch.float64)
    for pair in range(4):
        r, at = int(row[pair]), int(image[pair])
        places = offsets[r] / LEVELS.extents(offsets)[:, None] + points[pair][[0, 1, 0, 1]]
        shares = logits[r].flatten(1).softmax(dim=-1).view(1, 1, 2, 3, 4)
        want[r] += weight[pair] * sample_deformable(value[at : at + 1], LEVELS, places[None, None], shares)[0, 0]
    got = sample_views(value, LEVELS, offsets, logits, points, image, row, weight)
    torch.testing.assert_close(got, want)
    assert not got[1].any() and not got[3].any() and got[2].any()


def test_finite_differences():
    value, locations, weights = given = asked(1, 3, images=1, heads=1, channels=2)
    cells = locations.detach() * LEVELS.extents(locations)[:, None] - 0.5
    assert float((cells - cells.round()).abs().min()) > 1e-5
    assert torch.autograd.gradcheck(lambda *given: sample_deformable(given[0], LEVELS, *given[1:]), given)


def test_no_query_and_no_gradient():
    value, locations, weights = asked(0)
    image = row = torch.zeros(0, dtype=torch.long)
    output = sample_images(value, LEVELS, locations, weights, image, row, 2)
    assert output.shape == (2, 20) and not output.any()
    output.sum().backward()
    assert not value.grad.any()
    with torch.no_grad():
        assert not sample_images(value, LEVELS, locations, weights, image, row, 2).requires_grad


def test_layouts_do_not_matter():
    value, locations, weights = (tensor.detach() for tensor in asked(2, 7))
    want = sample_deformable(value, LEVELS, locations, weights)
    strided = [torch.cat((tensor, tensor), dim=1)[:, : tensor.shape[1]] for tensor in (value, locations, weights)]
    swapped = strided[0].transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(sample_deformable(swapped, LEVELS, *strided[1:]), want)


def test_not_a_number_is_outside():
    value, locations, weights = asked(1, 2)
    with torch.no_grad():
        locations[0, 0] = float('nan')
    output = sample_deformable(value, LEVELS, locations, weights)
    assert not output[0, 0].any() and output[0, 1].any()
