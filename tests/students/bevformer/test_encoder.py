"""The encoder against the original in both reference variants, and per sample."""

from __future__ import annotations

import pytest
import torch

from bevdistill.layers import FeatureLevels
from bevdistill.students.bevformer import BEVFormerEncoder, FrameGeometry

LEVELS = FeatureLevels.of([(12, 20), (6, 10)])


@pytest.mark.parametrize('released', [False, True])
def test_matches_original(golden, make_encoder, released):
    _, data = golden('bevformer_encoder')
    data = {name: torch.from_numpy(value) for name, value in data.items()}
    encoder = make_encoder(released_shift_both=released)
    encoder.load_state_dict({k.removeprefix('w.'): v for k, v in data.items() if k.startswith('w.')})
    frames = FrameGeometry(data['in.lidar2img'].float(), torch.zeros(1, 18), (96, 160))
    arguments = (
        data['in.bev_query'].transpose(0, 1),
        data['in.bev_pos'].transpose(0, 1),
        data['in.feat'].permute(2, 0, 1, 3),
        LEVELS,
        frames,
    )
    check = dict(atol=1e-4, rtol=1e-4)
    shift, prev = data['in.shift'], data['in.prev_bev'].transpose(0, 1)
    suffix = '_aliased' if released else ''
    torch.testing.assert_close(encoder(*arguments, shift * 0), data['out.no_prev_zero_shift'], **check)
    torch.testing.assert_close(encoder(*arguments, shift), data[f'out.no_prev_with_shift{suffix}'], **check)
    torch.testing.assert_close(encoder(*arguments, shift, prev), data[f'out.with_prev{suffix}'], **check)


@pytest.mark.parametrize('released', [False, True])
def test_samples_do_not_mix(make_encoder, make_batch, released):
    encoder = make_encoder(released_shift_both=released)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    _, samples = make_batch([0, 0, 0])
    frames = FrameGeometry.from_samples(samples)
    query, pos, prev = torch.randn(3, 80, 32), torch.randn(1, 80, 32), torch.randn(3, 80, 32)
    value, shift = torch.randn(3, 3, 300, 32), torch.randn(3, 2) * 0.1
    exists = torch.tensor([True, False, True])
    both = encoder(query, pos, value, LEVELS, frames, shift, prev, exists)
    for b in range(3):
        one = slice(b, b + 1)
        own = FrameGeometry(frames.lidar2img[one], frames.can_bus[one], frames.image_size)
        alone = encoder(query[one], pos, value[one], LEVELS, own, shift[one], prev[one] if exists[b] else None)
        torch.testing.assert_close(alone[0], both[b], atol=2e-5, rtol=1e-4)


def test_message(recorded_grid):
    with pytest.raises(ValueError, match='num_sampling_points=6 must be a multiple of num_pillar_points=4'):
        BEVFormerEncoder(recorded_grid, 32, num_layers=1, num_sampling_points=6)
