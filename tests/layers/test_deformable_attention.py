"""Levels, sampling, start values, precision."""

from __future__ import annotations

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttention
from torch import nn
from torch.nn import functional

from bevdistill.layers import DeformableAttention, FeatureLevels, reset_projection, reset_sampling, sample_deformable
from bevdistill.layers.deformable_attention import im2col_step


def test_levels():
    levels = FeatureLevels.of([(3, 5), (2, 1), (1, 4)])
    assert levels.shapes.tolist() == [[3, 5], [2, 1], [1, 4]]
    assert levels.starts.tolist() == [0, 15, 17]
    assert levels.num_tokens == 21


@pytest.mark.parametrize(('batch', 'step'), [(1, 1), (6, 6), (64, 64), (66, 33), (67, 1), (128, 64)])
def test_step_divides_the_batch(batch, step):
    assert im2col_step(batch) == step


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


def test_messages():
    with pytest.raises(ValueError, match='set batch_first=True'):
        DeformableAttention(embed_dims=16, batch_first=False)
    levels = FeatureLevels.of([(3, 4)])
    with pytest.raises(ValueError, match=r'11 tokens do not fill levels of sizes \(\(3, 4\),\)'):
        sample_deformable(torch.randn(1, 11, 1, 2), levels, torch.rand(1, 2, 1, 1, 1, 2), torch.rand(1, 2, 1, 1, 1))
