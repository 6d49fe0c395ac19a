"""Start values, precision, what queries ask for."""

from __future__ import annotations

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttention
from torch import nn

from bevdistill.layers import DeformableAttention, FeatureLevels, predict_sampling, reset_projection, reset_sampling


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


def test_projection_start():
    linear = nn.Linear(30, 20)
    reset_projection(linear)
    assert not linear.bias.any()
    assert float(linear.weight.abs().max()) <= (6 / 50) ** 0.5


def test_decoder_attention_is_mmcvs():
    levels = FeatureLevels.of([(3, 4), (2, 5)])
    ours = DeformableAttention(embed_dims=16, num_heads=2, num_levels=2, dropout=0.0)
    theirs = MultiScaleDeformableAttention(16, num_heads=2, num_levels=2, dropout=0.0, batch_first=True)
    nn.init.normal_(ours.attention_weights.weight)
    nn.init.normal_(ours.sampling_offsets.weight)
    theirs.load_state_dict(ours.state_dict())
    query, position, value, residual = (torch.randn(3, count, 16) for count in (5, 5, 22, 5))
    arguments = dict(query_pos=position, reference_points=torch.rand(3, 5, 2, 2))
    for given in (dict(value=value), dict(value=value, identity=residual)):
        want = theirs(query, spatial_shapes=levels.shapes, level_start_index=levels.starts, **given, **arguments)
        torch.testing.assert_close(ours(query, levels=levels, **given, **arguments), want)
    alone = FeatureLevels.of([(1, 3), (2, 1)])
    arguments = dict(reference_points=torch.rand(3, 5, 2, 2))
    want = theirs(query, spatial_shapes=alone.shapes, level_start_index=alone.starts, **arguments)
    torch.testing.assert_close(ours(query, levels=alone, **arguments), want)


def test_decoder_attention_stays_float32_under_autocast():
    attention = DeformableAttention(embed_dims=16, num_heads=2, num_levels=1).eval()
    levels = FeatureLevels.of([(3, 4)])
    arguments = dict(
        query=torch.randn(2, 5, 16),
        value=torch.randn(2, 12, 16),
        query_pos=torch.randn(2, 5, 16),
        reference_points=torch.rand(2, 5, 1, 2),
        levels=levels,
    )
    want = attention(**arguments)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = attention(**arguments)
    assert got.dtype == torch.float32 and torch.equal(got, want)


def test_two_layers_by_one_product():
    first, second, query = nn.Linear(6, 4), nn.Linear(6, 3), torch.randn(2, 5, 6)
    torch.testing.assert_close(predict_sampling(query, first, second), torch.cat((first(query), second(query)), dim=-1))


def test_messages():
    with pytest.raises(ValueError, match='set batch_first=True'):
        DeformableAttention(embed_dims=16, batch_first=False)
