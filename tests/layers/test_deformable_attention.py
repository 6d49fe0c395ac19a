"""Deformable attention: mmcv's results, loops, precision, prediction of offsets and weights."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttention
from torch import nn
from torch.nn import functional

from bevdistill.layers import DeformableAttention, FeatureLevels, deformable_attention, predict_sampling


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


def test_under_autocast_products_alone_are_in_half_precision(monkeypatch):
    attention = DeformableAttention(embed_dims=16, num_heads=2, num_levels=1).eval()
    nn.init.normal_(attention.sampling_offsets.weight)
    levels = FeatureLevels.of([(3, 4)])
    arguments = dict(
        query=torch.randn(2, 5, 16),
        value=torch.randn(2, 12, 16),
        query_pos=torch.randn(2, 5, 16),
        reference_points=torch.rand(2, 5, 1, 2),
        levels=levels,
    )
    want = attention(**arguments)
    sampled = mock.Mock(wraps=deformable_attention.sample_deformable)
    monkeypatch.setattr(deformable_attention, 'sample_deformable', sampled)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = attention(**arguments)
    tokens, _, locations, weights = sampled.call_args.args
    assert (tokens.dtype, locations.dtype, weights.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    assert got.dtype == torch.float32 and 0 < float((got - want).norm() / want.norm()) < 0.02


def test_two_layers_by_one_product():
    first, second, query = nn.Linear(6, 4), nn.Linear(6, 3), torch.randn(2, 5, 6)
    torch.testing.assert_close(predict_sampling(query, first, second), torch.cat((first(query), second(query)), dim=-1))


def test_one_product_has_the_gradients_of_two_layers():
    first, second = nn.Linear(6, 4), nn.Linear(6, 3)
    query = torch.randn(2, 5, 6, requires_grad=True)
    inputs = [query, *first.parameters(), *second.parameters()]
    onto = torch.randn(2, 5, 7)
    want = torch.autograd.grad((torch.cat((first(query), second(query)), dim=-1) * onto).sum(), inputs)
    torch.testing.assert_close(torch.autograd.grad((predict_sampling(query, first, second) * onto).sum(), inputs), want)


def test_equals_loops_over_queries_heads_and_points():
    """Softmax over levels and points together, offsets in cells of their level, residual added at the end."""
    sizes, heads, points, channels = [(3, 4), (1, 5)], 2, 3, 8
    levels = FeatureLevels.of(sizes)
    attention = DeformableAttention(
        embed_dims=channels, num_heads=heads, num_levels=2, num_points=points, dropout=0.0
    ).eval()
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.3)
    query, position = torch.randn(2, 4, channels), torch.randn(2, 4, channels)
    tokens, references = torch.randn(2, levels.num_tokens, channels), torch.rand(2, 4, 2, 2)
    got = attention(query, value=tokens, query_pos=position, reference_points=references, levels=levels)
    values = attention.value_proj(tokens)
    for b in range(2):
        for q in range(4):
            asked = query[b, q] + position[b, q]
            offsets = attention.sampling_offsets(asked).view(heads, 2, points, 2)
            weights = attention.attention_weights(asked).view(heads, -1).softmax(dim=-1).view(heads, 2, points)
            parts = []
            for m in range(heads):
                total = torch.zeros(channels // heads)
                for level, (height, width) in enumerate(sizes):
                    start = 0 if level == 0 else 12
                    image = values[b, start : start + height * width].view(height, width, heads, -1)[:, :, m]
                    for p in range(points):
                        place = references[b, q, level] + offsets[m, level, p] / torch.tensor([width, height])
                        grid = (place * 2 - 1).view(1, 1, 1, 2)
                        sample = functional.grid_sample(image.permute(2, 0, 1)[None], grid, align_corners=False)
                        total = total + weights[m, level, p] * sample.flatten()
                parts.append(total)
            want = attention.output_proj(torch.cat(parts)) + query[b, q]
            torch.testing.assert_close(got[b, q], want, atol=1e-5, rtol=1e-5)


def test_samples_of_a_batch_do_not_meet():
    levels = FeatureLevels.of([(3, 5)])
    attention = DeformableAttention(embed_dims=16, num_heads=4, num_levels=1, dropout=0.0).eval()
    nn.init.normal_(attention.sampling_offsets.weight)
    arguments = dict(
        query=torch.randn(3, 2, 16), value=torch.randn(3, 15, 16), reference_points=torch.rand(3, 2, 1, 2)
    )
    together = attention(**arguments, levels=levels)
    for b in range(3):
        alone = attention(**{name: given[b : b + 1] for name, given in arguments.items()}, levels=levels)
        torch.testing.assert_close(together[b : b + 1], alone)


def test_double_precision_is_kept():
    levels = FeatureLevels.of([(2, 3)])
    attention = DeformableAttention(embed_dims=8, num_heads=2, num_levels=1, dropout=0.0).double()
    query = torch.randn(1, 2, 8, dtype=torch.float64)
    output = attention(query, value=torch.randn(1, 6, 8, dtype=torch.float64), levels=levels,
                       reference_points=torch.rand(1, 2, 1, 2, dtype=torch.float64))
    assert output.dtype == torch.float64


def test_messages():
    with pytest.raises(ValueError, match='set batch_first=True'):
        DeformableAttention(embed_dims=16, batch_first=False)
