"""Sampling by torch's operators: against the kernels of the host, and by hand."""

from __future__ import annotations

import pytest
import torch
from sampling_inputs import LEVELS, asked

from bevdistill.layers import FeatureLevels, sample_deformable, sample_images
from bevdistill.layers.sampling import reference, use_backend


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_reference_equals_the_host(dtype):
    """Dense, logits, and a ragged list with places that are no numbers; values and gradients."""
    value, locations, weights = given = asked(2, 7, dtype=dtype)
    with torch.no_grad():
        locations[0, 0, 0], locations[1, 2] = float('nan'), float('inf')
    image, row = torch.tensor([0, 0, 1, 1, 1, 0]), torch.tensor([3, 0, 3, 1, 0, 0])

    def run(name):
        with use_backend(name):
            outputs = [
                sample_deformable(value, LEVELS, locations, weights),
                sample_deformable(value, LEVELS, locations, weights, softmax=True),
                sample_images(value, LEVELS, locations[0, :6], weights[0, :6], image, row, 5),
            ]
        return [*outputs, *torch.autograd.grad(sum(output.square().sum() for output in outputs), given)]

    torch.testing.assert_close(run('reference'), run('host'))


@pytest.mark.parametrize(('x', 'y', 'expected'), [
    (0.5, 0.5, 1.0), (0.5, 0.25, 0.75), (1.5, 1.75, 3.75), (1.0, 0.5, 1.5), (1.0, 1.0, 3.0), (3.0, 0.5, 1.5),
    (-0.25, 0.5, 0.25), (-0.5, 0.5, 0.0), (3.5, 0.5, 0.0), (1.5, -0.5, 0.0), (1.5, 2.5, 0.0),
])
def test_places_of_a_map_by_hand(x, y, expected):
    """A map of the rows 1, 2, 3 and 4, 5, 6, whose cells have their middles at half; beyond them it fades to zero."""
    value = torch.tensor([[1.0, 2, 3, 4, 5, 6]]).view(1, 6, 1, 1)
    place = torch.tensor([x / 3, y / 2]).view(1, 1, 1, 1, 1, 2)
    got = reference.dense(value, FeatureLevels.of([(2, 3)]), place, torch.ones(1, 1, 1, 1, 1))
    assert float(got) == pytest.approx(expected, abs=1e-5)


def test_a_list_without_queries():
    value, locations, weights = asked(0)
    nothing = torch.zeros(0, dtype=torch.long)
    got = reference.images(value, LEVELS, locations, weights, nothing, nothing, 3)
    assert got.shape == (3, 20) and not got.any()
