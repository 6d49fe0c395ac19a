"""Start values: ranges, directions worked out by hand, what is left alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bevdistill.layers import (
    DeformableAttention,
    reset_attentions,
    reset_projection,
    reset_sampling,
    xavier_matrices,
)


@pytest.mark.parametrize('kind', ['tsa', 'msda3d', 'dec'])
@pytest.mark.parametrize(('heads', 'levels', 'points'), [(8, 1, 4), (8, 4, 8), (4, 2, 8), (6, 3, 6), (5, 1, 3)])
def test_first_offsets_match_original(golden, kind, heads, levels, points):
    _, data = golden('init_sampling_bias')
    groups = levels * (2 if kind == 'tsa' else 1)
    offsets, weights = nn.Linear(16, heads * groups * points * 2), nn.Linear(16, heads * groups * points)
    reset_sampling(offsets, weights, heads, groups, points)
    want = torch.from_numpy(data[f'out.{kind}.h{heads}_l{levels}_p{points}'])
    torch.testing.assert_close(offsets.bias.detach(), want, atol=1e-6, rtol=1e-6)
    assert not offsets.weight.any() and not weights.weight.any() and not weights.bias.any()


def test_four_heads_look_along_the_axes():
    """Heads at 0, 90, 180, 270 degrees; points one and two cells away; the same in each group."""
    offsets, weights = nn.Linear(3, 4 * 2 * 2 * 2), nn.Linear(3, 4 * 2 * 2)
    reset_sampling(offsets, weights, num_heads=4, num_groups=2, num_points=2)
    axes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    want = torch.stack([torch.stack([axis, 2 * axis]) for axis in axes])[:, None].expand(-1, 2, -1, -1)
    torch.testing.assert_close(offsets.bias.detach().view(4, 2, 2, 2), want, atol=1e-6, rtol=0)


def test_diagonal_heads_reach_a_whole_cell_along_both_axes():
    """The largest component is 1, so that the third of eight directions is (1, 1) and not (0.7, 0.7)."""
    offsets, weights = nn.Linear(3, 8 * 2), nn.Linear(3, 8)
    reset_sampling(offsets, weights, num_heads=8, num_groups=1, num_points=1)
    torch.testing.assert_close(offsets.bias.detach().view(8, 2)[1], torch.ones(2), atol=1e-6, rtol=0)
    assert float(offsets.bias.abs().max()) == pytest.approx(1.0)


def test_projection_start():
    linear = nn.Linear(30, 20)
    reset_projection(linear)
    assert not linear.bias.any()
    assert float(linear.weight.abs().max()) <= (6 / 50) ** 0.5


def test_matrices_are_drawn_and_vectors_left():
    torch.manual_seed(0)
    module = nn.ModuleList([nn.Linear(300, 200), nn.LayerNorm(200), nn.Conv2d(2, 3, 3)])
    for parameter in module.parameters():
        nn.init.constant_(parameter, 7.0)
    xavier_matrices(module)
    linear, norm, conv = module
    for vector in (linear.bias, norm.weight, norm.bias, conv.bias):
        assert bool((vector == 7).all())
    bound = math.sqrt(6 / 500)
    assert float(linear.weight.abs().max()) <= bound
    # Uniform in (-bound, bound) has the standard deviation bound / sqrt(3).
    assert float(linear.weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert float(conv.weight.abs().max()) <= math.sqrt(6 / (9 * (2 + 3)))


def test_attentions_keep_their_own_start_inside_a_module():
    module = nn.ModuleDict(dict(
        attention=DeformableAttention(embed_dims=16, num_heads=2, num_levels=1), linear=nn.Linear(16, 16)
    ))
    nn.init.constant_(module['linear'].weight, 7.0)
    nn.init.constant_(module['attention'].sampling_offsets.weight, 7.0)
    reset_attentions(module)
    assert float(module['linear'].weight.abs().max()) <= math.sqrt(6 / 32)
    attention = module['attention']
    assert not attention.sampling_offsets.weight.any() and not attention.attention_weights.weight.any()
    assert bool(attention.sampling_offsets.bias.any()), 'heads look in different directions'
    assert not attention.value_proj.bias.any() and bool(attention.value_proj.weight.any())


def test_matrices_are_drawn_in_the_order_of_the_parameters():
    """A seed gives the same start in every version: first all matrices in order, then the attentions' projections."""
    module = nn.ModuleList([nn.Linear(4, 4), DeformableAttention(embed_dims=16, num_heads=2, num_levels=1)])
    torch.manual_seed(5)
    reset_attentions(module)
    next_number = torch.rand(1)
    torch.manual_seed(5)
    matrices = [torch.empty_like(parameter) for parameter in module.parameters() if parameter.dim() > 1]
    for matrix in matrices:
        nn.init.xavier_uniform_(matrix)
    assert torch.equal(module[0].weight, matrices[0])
    for linear in (module[1].value_proj, module[1].output_proj):
        assert torch.equal(linear.weight, nn.init.xavier_uniform_(torch.empty(16, 16)))
    assert torch.equal(next_number, torch.rand(1))
