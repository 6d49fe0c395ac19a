"""What attention modules call: one precision, no autocast inside, gradients where there are some, errors."""

from __future__ import annotations

import pytest
import torch
from sampling_inputs import LEVELS, asked

from bevdistill.layers import FeatureLevels, sample_deformable, sample_images, sample_views
from bevdistill.layers.sampling import BACKENDS, interface, use_backend


def test_every_backend_has_a_module():
    assert set(interface.MODULES) == set(BACKENDS)


def by_views(value, locations, weights):
    rows = torch.arange(len(weights))
    points = torch.full((len(weights), 1, 2), 0.5)
    return sample_views(value, LEVELS, locations, weights, points, rows * 0, rows, torch.ones(len(weights)))


CALLS = [
    lambda value, *given: sample_deformable(value[:1], LEVELS, *(tensor[None] for tensor in given)),
    lambda value, *given: sample_deformable(value[:1], LEVELS, *(tensor[None] for tensor in given), softmax=True),
    lambda value, *given: sample_images(value, LEVELS, *given, torch.arange(3) % 2, torch.arange(3), 3),
    by_views,
]


@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize(('dtype', 'kept'), [
    (torch.bfloat16, torch.float32), (torch.float16, torch.float32), (torch.float32, torch.float32),
    (torch.float64, torch.float64),
])
def test_precision_is_that_of_the_tokens_float32_at_least(call, dtype, kept):
    """Whatever the others have; the numbers are those of tokens that were rounded, and of nothing else that was."""
    value, locations, weights = (tensor.detach() for tensor in asked(3))
    got = call(value.to(dtype), locations, weights)
    assert got.dtype == kept
    want = call(value.to(dtype).double(), locations.to(kept).double(), weights.to(kept).double())
    torch.testing.assert_close(got.double(), want, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize('name', ['host', 'reference', 'grid'])
def test_autocast_ends_at_the_border(name):
    """Products of bfloat16 would be off by a hundredth."""
    value, locations, weights = (tensor.detach().float() for tensor in asked(2, 3))
    with use_backend(name):
        want = sample_deformable(value, LEVELS, locations, weights, softmax=True)
        with torch.autocast('cpu', torch.bfloat16):
            got = sample_deformable(value, LEVELS, locations, weights, softmax=True)
    assert got.dtype == torch.float32 and torch.equal(got, want)


@pytest.mark.parametrize('name', ['host', 'reference', 'grid'])
def test_places_and_factors_of_views_have_no_gradient(name):
    value, offsets, logits = asked(2, images=1, dtype=torch.float32)
    points = torch.rand(2, 2, 2, requires_grad=True)
    weight = torch.ones(2, requires_grad=True)
    with use_backend(name):
        output = sample_views(value, LEVELS, offsets, logits, points, torch.zeros(2).long(), torch.arange(2), weight)
    output.square().sum().backward()
    assert points.grad is None and weight.grad is None
    assert all(tensor.grad is not None and tensor.grad.any() for tensor in (value, offsets, logits))


@pytest.mark.parametrize('name', ['host', 'reference', 'grid'])
@pytest.mark.parametrize('softmax', [False, True])
def test_no_queries_have_no_results(name, softmax):
    value, locations, weights = asked(2, 0)
    with use_backend(name):
        got = sample_deformable(value, LEVELS, locations, weights, softmax)
        gradients = torch.autograd.grad(got.sum(), (value, locations, weights))
    assert got.shape == (2, 0, 20) and not gradients[0].any()


def test_weights_may_be_logits():
    """The softmax is over levels and points together: a logit of 100 leaves the others nothing."""
    value, locations, weights = (tensor.detach() for tensor in asked(1, 1))
    weights = torch.zeros_like(weights)
    even = sample_deformable(value[:1], LEVELS, locations, weights, softmax=True)
    torch.testing.assert_close(even, sample_deformable(value[:1], LEVELS, locations, weights + 1 / 6))
    weights[..., 1, 0] = 100.0
    alone = torch.zeros_like(weights)
    alone[..., 1, 0] = 1.0
    torch.testing.assert_close(
        sample_deformable(value[:1], LEVELS, locations, weights, softmax=True),
        sample_deformable(value[:1], LEVELS, locations, alone),
    )


def test_tokens_must_fill_the_levels():
    levels = FeatureLevels.of([(3, 4)])
    with pytest.raises(ValueError, match=r'11 tokens do not fill levels of sizes \(\(3, 4\),\)'):
        sample_deformable(torch.randn(1, 11, 1, 2), levels, torch.rand(1, 2, 1, 1, 1, 2), torch.rand(1, 2, 1, 1, 1))


@pytest.mark.parametrize('call', [CALLS[2], CALLS[3]])
def test_tokens_of_lists_must_fill_the_levels_too(call):
    value, locations, weights = asked(3)
    with pytest.raises(ValueError, match=r'22 tokens do not fill levels of sizes \(\(3, 4\), \(2, 5\), \(1, 1\)\)'):
        call(value[:, :22], locations, weights)
