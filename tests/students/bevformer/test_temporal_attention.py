"""Temporal self-attention against the original and per sample."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

from bevdistill.layers import FeatureLevels
from bevdistill.students.bevformer import History, TemporalSelfAttention, temporal_attention

LEVELS = FeatureLevels.of([(10, 8)])


@pytest.fixture
def recorded(golden):
    _, data = golden('temporal_self_attention')
    data = {name: torch.from_numpy(value) for name, value in data.items()}
    attention = TemporalSelfAttention(32, num_heads=4, dropout=0.0)
    attention.load_state_dict({k.removeprefix('w.'): v for k, v in data.items() if k.startswith('w.')})
    return attention, data


def references(data, name, batch=1):
    """(2 * B, Q, 1, 2), entries inside samples, to (B, Q, 2, 2)."""
    return data[f'in.{name}'].view(batch, 2, -1, 2).transpose(1, 2)


def always(current, prev):
    return History(prev, torch.ones(len(prev), dtype=torch.bool), current)


def test_matches_original(recorded):
    attention, data = recorded
    query, pos, prev = data['in.query'], data['in.query_pos'], data['in.prev_bev']
    with_prev = attention(query, pos, references(data, 'reference_points_with_prev'), LEVELS, always(query, prev))
    torch.testing.assert_close(with_prev, data['out.with_prev'], atol=1e-5, rtol=1e-4)
    no_prev = attention(query, pos, references(data, 'reference_points_no_prev'), LEVELS)
    torch.testing.assert_close(no_prev, data['out.no_prev'], atol=1e-5, rtol=1e-4)


def test_batch_equals_samples(recorded):
    """The original is right for sample 0 of a batch only; here every sample is as if alone."""
    attention, data = recorded
    query, pos, prev = data['in.b2_query'], data['in.b2_query_pos'], data['in.b2_prev_bev']
    for history, name in ((True, 'with_prev'), (False, 'no_prev')):
        refs = references(data, f'b2_reference_points_{name}', batch=2)
        both = attention(query, pos, refs, LEVELS, always(query, prev) if history else None)
        torch.testing.assert_close(both[0], data[f'out.b2_{name}'][0], atol=1e-5, rtol=1e-4)
        for b in range(2):
            one = slice(b, b + 1)
            alone = attention(
                query[one], pos[one], refs[one], LEVELS, always(query[one], prev[one]) if history else None
            )
            torch.testing.assert_close(alone[0], both[b], atol=1e-5, rtol=1e-5)


def test_mixed_batch():
    """A sample without history is the same beside one that has it; garbage in its rows does not matter."""
    attention = TemporalSelfAttention(16, num_heads=2, dropout=0.0)
    for linear in (attention.sampling_offsets, attention.attention_weights):
        torch.nn.init.normal_(linear.weight, std=0.3)
    query, current, pos = (torch.randn(2, 80, 16) for _ in range(3))
    prev = torch.randn(2, 80, 16)
    prev[1] = float('nan')
    refs = torch.rand(2, 80, 2, 2)
    output = attention(query, pos, refs, LEVELS, History(prev, torch.tensor([True, False]), current))
    first = attention(query[:1], pos[:1], refs[:1], LEVELS, always(current[:1], prev[:1]))
    second = attention(query[1:], pos[1:], refs[1:], LEVELS)
    torch.testing.assert_close(output, torch.cat((first, second)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('with_history', [True, False])
def test_under_autocast_products_alone_are_in_half_precision(with_history, monkeypatch):
    attention = TemporalSelfAttention(16, num_heads=2, dropout=0.0)
    query, prev = torch.randn(2, 80, 16), torch.randn(2, 80, 16)
    arguments = query, torch.randn(1, 80, 16), torch.rand(2, 80, 2, 2), LEVELS
    arguments += (always(query, prev) if with_history else None,)
    want = attention(*arguments)
    sampled = mock.Mock(wraps=temporal_attention.sample_deformable)
    monkeypatch.setattr(temporal_attention, 'sample_deformable', sampled)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = attention(*arguments)
    for call in sampled.call_args_list:
        tokens, _, locations, weights = call.args
        assert (tokens.dtype, locations.dtype, weights.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    assert got.dtype == torch.float32 and 0 < float((got - want).norm() / want.norm()) < 0.02


def test_message():
    with pytest.raises(ValueError, match='not divisible by num_heads=3'):
        TemporalSelfAttention(16, 3)
