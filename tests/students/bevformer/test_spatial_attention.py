"""Spatial cross-attention against the original, against loops, and per sample."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch.nn import functional

from bevdistill.layers import FeatureLevels
from bevdistill.layers.sampling import use_backend
from bevdistill.students.bevformer import PillarDeformableAttention, SpatialCrossAttention, spatial_attention
from bevdistill.students.bevformer.frame import CameraHits


def tensors(data, prefix):
    return {k.removeprefix(prefix): torch.from_numpy(v) for k, v in data.items() if k.startswith(prefix)}


def test_matches_original(golden):
    _, data = golden('spatial_cross_attention')
    inputs, outputs = tensors(data, 'in.'), tensors(data, 'out.')
    attention = SpatialCrossAttention(32, num_heads=4, num_levels=2, num_points=8, dropout=0.0)
    attention.load_state_dict(tensors(data, 'w.'))
    levels = FeatureLevels.of([(12, 20), (6, 10)])
    hits = CameraHits.gather(
        inputs['reference_points_cam'].transpose(0, 1), inputs['bev_mask'].transpose(0, 1)
    )
    value_BNSC = inputs['value'].permute(2, 0, 1, 3)
    output = attention(inputs['query'], value_BNSC, hits, levels)
    torch.testing.assert_close(output, outputs['output'], atol=1e-5, rtol=1e-4)
    asking, want = inputs['inner_query'], outputs['inner_output']
    rows = torch.arange(len(asking) * asking.shape[1])
    each = CameraHits(
        rows, rows // asking.shape[1], torch.ones(len(rows)), inputs['inner_reference_points'].flatten(0, 1)
    )
    inner = attention.deformable_attention(asking.flatten(0, 1), inputs['inner_value'], each, levels)
    torch.testing.assert_close(inner.view_as(want), want, atol=1e-5, rtol=1e-4)


def test_equals_loops_over_queries_and_cameras():
    batch, cams, queries, pillar, channels, heads = 2, 3, 6, 2, 8, 2
    sizes = [(4, 5), (2, 3)]
    attention = SpatialCrossAttention(channels, heads, num_levels=2, num_points=4, dropout=0.0)
    inner = attention.deformable_attention
    for linear in (inner.sampling_offsets, inner.attention_weights):
        torch.nn.init.normal_(linear.weight, std=0.3)
    query = torch.randn(batch, queries, channels)
    value = torch.randn(batch, cams, 26, channels)
    uv, seen = torch.rand(batch, cams, queries, pillar, 2), torch.rand(batch, cams, queries, pillar) > 0.7
    output = attention(query, value, CameraHits.gather(uv, seen), FeatureLevels.of(sizes))

    def look(b, n, q):
        maps = inner.value_proj(value[b, n]).split([20, 6])
        offsets = inner.sampling_offsets(query[b, q]).view(heads, 2, 4, 2)
        weights = inner.attention_weights(query[b, q]).view(heads, 8).softmax(-1).view(heads, 2, 4)
        parts = []
        for head in range(heads):
            total = torch.zeros(channels // heads)
            for level, (height, width) in enumerate(sizes):
                image = maps[level].view(height, width, heads, -1)[:, :, head].permute(2, 0, 1)[None]
                for point in range(4):
                    where = uv[b, n, q, point % pillar] + offsets[head, level, point] / torch.tensor([width, height])
                    sample = functional.grid_sample(image, where.view(1, 1, 1, 2) * 2 - 1, align_corners=False)
                    total = total + weights[head, level, point] * sample.flatten()
            parts.append(total)
        return torch.cat(parts)

    for b in range(batch):
        for q in range(queries):
            views = [look(b, n, q) for n in range(cams) if seen[b, n, q].any()]
            slot = torch.stack(views).mean(0) if views else torch.zeros(channels)
            want = query[b, q] + attention.output_proj(slot)
            torch.testing.assert_close(output[b, q], want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_all_lists_and_backends_give_the_same(dtype):
    """Outputs and gradients."""
    attention = SpatialCrossAttention(8, 2, num_levels=2, num_points=4, dropout=0.0).to(dtype)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    levels = FeatureLevels.of([(4, 5), (2, 3)])
    query, value = (torch.randn(2, *shape, 8, dtype=dtype, requires_grad=True) for shape in ((6,), (3, 26)))
    uv, seen = torch.rand(2, 3, 6, 2, 2) * 1.4 - 0.2, torch.rand(2, 3, 6, 2) > 0.6

    def run(lists, backend):
        hits = CameraHits.gather(uv, seen, lists)
        with use_backend(backend):
            output = attention(query, value, hits, levels)
        gradients = torch.autograd.grad(output.square().sum(), [query, value, *attention.parameters()])
        return len(hits.row), [output, *gradients]

    pairs, want = run('seen', 'host')
    assert pairs == int(seen.any(dim=-1).sum())
    longest = int(seen.any(dim=-1).sum(dim=-1).max())
    for lists, backend, length in (
        ('padded', 'host', 6 * longest), ('padded', 'mmcv', 6 * longest), ('all', 'host', 36), ('all', 'reference', 36),
        ('all', 'grid', 36),
    ):  # fmt: skip
        more, got = run(lists, backend)
        assert more == length
        torch.testing.assert_close(got, want, atol=2e-5, rtol=1e-4)


def test_samples_do_not_mix_and_padding_is_inert():
    attention = SpatialCrossAttention(8, 2, num_levels=1, num_points=4, dropout=0.0)
    levels = FeatureLevels.of([(4, 5)])
    query, value = torch.randn(2, 6, 8), torch.randn(2, 3, 20, 8)
    uv, seen = torch.rand(2, 3, 6, 2, 2), torch.rand(2, 3, 6, 2) > 0.5
    seen[1] &= torch.rand(3, 6, 2) > 0.6
    both = attention(query, value, CameraHits.gather(uv, seen), levels)
    for b in range(2):
        one = slice(b, b + 1)
        alone = attention(query[one], value[one], CameraHits.gather(uv[one], seen[one]), levels)
        torch.testing.assert_close(alone[0], both[b], atol=1e-6, rtol=1e-5)


def test_nothing_seen():
    attention = SpatialCrossAttention(8, 2, num_levels=1, num_points=4, dropout=0.0)
    query = torch.randn(1, 6, 8, requires_grad=True)
    hits = CameraHits.gather(torch.rand(1, 3, 6, 2, 2), torch.zeros(1, 3, 6, 2, dtype=torch.bool))
    output = attention(query, torch.randn(1, 3, 20, 8), hits, FeatureLevels.of([(4, 5)]))
    torch.testing.assert_close(output, query + attention.output_proj.bias)
    output.sum().backward()
    assert query.grad is not None and query.grad.isfinite().all()


def test_under_autocast_products_alone_are_in_half_precision(monkeypatch):
    attention = SpatialCrossAttention(8, 2, num_levels=1, num_points=4, dropout=0.0)
    arguments = (
        torch.randn(1, 6, 8),
        torch.randn(1, 3, 20, 8),
        CameraHits.gather(torch.rand(1, 3, 6, 2, 2), torch.ones(1, 3, 6, 2, dtype=torch.bool)),
        FeatureLevels.of([(4, 5)]),
    )
    want = attention(*arguments)
    sampled = mock.Mock(wraps=spatial_attention.sample_views)
    monkeypatch.setattr(spatial_attention, 'sample_views', sampled)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = attention(*arguments)
    tokens, _, offsets, logits = sampled.call_args.args[:4]
    assert (tokens.dtype, offsets.dtype, logits.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    assert got.dtype == torch.float32 and 0 < float((got - want).norm() / want.norm()) < 0.02


def test_messages():
    with pytest.raises(ValueError, match='not divisible by num_heads=3'):
        PillarDeformableAttention(8, 3)
    attention = PillarDeformableAttention(8, 2, num_levels=1, num_points=4)
    query, value = torch.randn(2, 8), torch.randn(1, 20, 8)

    def look(pillar: int, *sizes: tuple[int, int]) -> None:
        hits = CameraHits(torch.arange(2), torch.zeros(2).long(), torch.ones(2), torch.rand(2, pillar, 2))
        attention(query, value, hits, FeatureLevels.of(sizes))

    with pytest.raises(ValueError, match='not a multiple of the 3 pillar points'):
        look(3, (4, 5))
    with pytest.raises(ValueError, match='built for 1 feature levels'):
        look(2, (2, 5), (2, 5))
    with pytest.raises(ValueError, match='20 tokens do not fill levels'):
        look(2, (4, 6))
