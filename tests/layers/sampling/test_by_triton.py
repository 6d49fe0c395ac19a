"""The Triton kernels under Triton's interpreter against the host's, and their gradients against differences.

The interpreter takes tens of milliseconds for each row and head: everything is as small as it may be. ``conftest.py``
turns it on before anything imports Triton.
"""

from __future__ import annotations

import os

import pytest
import torch

from bevdistill.layers import FeatureLevels, sample_deformable, sample_images, sample_views
from bevdistill.layers.sampling import use_backend

pytest.importorskip('triton', reason='Triton is not installed')
pytestmark = pytest.mark.skipif(os.environ.get('TRITON_INTERPRET') != '1', reason='on a GPU, see benchmarks')
LEVELS = FeatureLevels.of([(3, 4), (1, 2)])


def leaves(*tensors):
    return [tensor.requires_grad_() for tensor in tensors]


def run(name, sample, given):
    """Output and gradients."""
    with use_backend(name):
        output = sample(*given)
    onto = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    return [output.detach(), *torch.autograd.grad((output * onto).sum(), given)]


@pytest.mark.parametrize(('dtype', 'softmax'), [(torch.float64, False), (torch.float32, True)])
def test_dense(dtype, softmax):
    """Places in and around the maps, one of them no number, one infinite; three channels in a tile of four."""
    locations = torch.rand(2, 1, 2, 2, 3, 2, dtype=dtype) * 1.8 - 0.4
    locations[0, 0, 0, 0, 0], locations[1, 0, 1, 1, 2, 0] = float('nan'), float('inf')
    given = leaves(torch.randn(2, 14, 2, 3, dtype=dtype), locations, torch.randn(2, 1, 2, 2, 3, dtype=dtype))

    def sample(value, where, weights):
        return sample_deformable(value, LEVELS, where, weights, softmax)

    torch.testing.assert_close(run('triton', sample, given), run('host', sample, given))


def views(dtype=torch.float32, channels=3):
    """Rows with two images, with none, with one whose weight is 0, with one; offsets and logits parts of one matrix."""
    value, predicted = torch.randn(2, 14, 1, channels, dtype=dtype), torch.randn(4, 3 * 2 * 4, dtype=torch.float64)
    points, weight = torch.rand(4, 2, 2) * 1.4 - 0.2, torch.tensor([0.5, 0.5, 0.0, 1.0])
    image, row = torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 2, 3])

    def sample(value, predicted):
        offsets, logits = predicted.split((16, 8), dim=1)
        offsets, logits = offsets.unflatten(1, (1, 2, 4, 2)), logits.unflatten(1, (1, 2, 4))
        return sample_views(value, LEVELS, offsets, logits, points, image, row, weight)

    return sample, leaves(value, predicted)


def test_views():
    sample, given = views(torch.float64)
    got = run('triton', sample, given)
    torch.testing.assert_close(got, run('host', sample, given))
    assert not got[0][1:3].any() and got[0][3].any()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_tokens_are_summed_in_float32(dtype):
    """The same as the host's kernels in float32 from the same tokens; only the tokens' gradient is rounded."""
    sample, (value, predicted) = views(dtype)
    got = run('triton', sample, (value, predicted))
    want = run('host', sample, leaves(value.detach().float(), predicted.detach()))
    assert got[0].dtype == torch.float32 and got[1].dtype == dtype
    want[1] = want[1].to(dtype)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=torch.finfo(dtype).eps)


def test_ragged_lists():
    given = leaves(torch.randn(3, 14, 1, 2), torch.rand(4, 1, 2, 2, 2) * 1.4 - 0.2, torch.randn(4, 1, 2, 2))
    image, row = torch.tensor([0, 2, 2, 2]), torch.tensor([3, 0, 3, 1])

    def sample(value, locations, weights):
        return sample_images(value, LEVELS, locations, weights, image, row, 5)

    torch.testing.assert_close(run('triton', sample, given), run('host', sample, given))


def test_deterministic_sums_are_integers():
    """The same to rounding; a gradient that is not finite comes back as no finite number, not as some integer."""
    sample, given = views()
    output, *want = run('host', sample, given)
    torch.use_deterministic_algorithms(True)
    try:
        with use_backend('triton'):
            output = sample(*given)
        onto = torch.linspace(-1, 1, output.numel()).view_as(output)
        got = torch.autograd.grad((output * onto).sum(), given, retain_graph=True)
        torch.testing.assert_close(list(got), want)
        broken, _ = torch.autograd.grad((output * float('inf')).sum(), given)
        assert not broken.isfinite().any()
    finally:
        torch.use_deterministic_algorithms(False)


def test_finite_differences():
    levels = FeatureLevels.of([(2, 2)])
    where = torch.tensor([[0.4, 0.7], [1.1, 0.6]], dtype=torch.float64).view(1, 1, 1, 1, 2, 2)
    given = leaves(
        torch.randn(1, 4, 1, 1, dtype=torch.float64), where, torch.randn(1, 1, 1, 1, 2, dtype=torch.float64)
    )
    with use_backend('triton'):
        assert torch.autograd.gradcheck(
            lambda *given: sample_deformable(given[0], levels, *given[1:], softmax=True), given, fast_mode=True
        )


def test_no_query():
    given = leaves(torch.randn(1, 14, 2, 3), torch.zeros(0, 2, 2, 2, 2), torch.zeros(0, 2, 2, 2))
    nothing = torch.zeros(0, dtype=torch.long)

    def sample(value, locations, weights):
        return sample_images(value, LEVELS, locations, weights, nothing, nothing, 2)

    output, of_value, *_ = run('triton', sample, given)
    assert output.shape == (2, 6) and not output.any() and not of_value.any()
