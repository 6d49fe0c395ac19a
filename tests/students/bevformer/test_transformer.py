"""BEV features with embeddings, vehicle state and history against the original."""

from __future__ import annotations

import pytest
import torch

from bevdistill.students.bevformer import FrameGeometry
from bevdistill.students.bevformer.ego_motion import ego_shift, rotate_history


@pytest.fixture
def recorded(golden):
    _, data = golden('get_bev_features')
    return {name: torch.from_numpy(value) for name, value in data.items()}


@pytest.mark.parametrize('released', [False, True])
@pytest.mark.parametrize(
    'variant', ['no_prev', 'no_prev_moving', 'with_prev', 'with_prev2', 'with_prev_default_center']
)
def test_matches_original(recorded, make_head, variant, released):
    center = [100, 100] if variant.endswith('default_center') else [4, 5]
    transformer = make_head(released, rotate_center=center).transformer
    transformer.load_state_dict({k.removeprefix('w.'): v for k, v in recorded.items() if k.startswith('w.')})
    can_bus = recorded[f'in.{variant}.can_bus'].float()[None]
    frames = FrameGeometry(recorded['in.lidar2img'].float(), can_bus, (96, 160))
    features = [recorded['in.mlvl_feats_0'], recorded['in.mlvl_feats_1']]
    prev = recorded['in.prev_bev'] if variant.startswith('with_prev') else None
    before = recorded['in.prev_bev'].clone()
    torch.testing.assert_close(
        ego_shift(can_bus, transformer.grid), recorded[f'out.{variant}.shift'], atol=1e-5, rtol=1e-4
    )
    if prev is not None:
        rotated = rotate_history(prev, can_bus[:, 17], transformer.grid, center)
        torch.testing.assert_close(rotated, recorded[f'out.{variant}.prev_bev_rotated'].transpose(0, 1))
    bev = transformer.get_bev_features(
        features, recorded['in.bev_queries'], recorded['in.bev_pos'].flatten(2).transpose(1, 2), frames, prev
    )
    want = recorded[f'out.{variant}.bev_embed{"_aliased" if released else ""}']
    torch.testing.assert_close(bev, want, atol=1e-4, rtol=1e-4)
    assert torch.equal(recorded['in.prev_bev'], before)
    tokens, _ = transformer._tokens(features)
    torch.testing.assert_close(tokens, recorded['out.feat_flatten'].permute(2, 0, 1, 3))


def test_messages(recorded, make_head):
    transformer = make_head().transformer
    frames = FrameGeometry(torch.zeros(1, 3, 4, 4), torch.zeros(1, 18), (96, 160))
    maps = [recorded['in.mlvl_feats_0'], recorded['in.mlvl_feats_1']]
    queries, pos = torch.zeros(80, 32), torch.zeros(1, 80, 32)
    with pytest.raises(ValueError, match='built for 2 levels, got 1'):
        transformer.get_bev_features(maps[:1], queries, pos, frames)
    with pytest.raises(ValueError, match='built for 3 cameras'):
        transformer.get_bev_features([level[:, :2] for level in maps], queries, pos, frames)
    with pytest.raises(ValueError, match='2 levels need as many embeddings, got 1'):
        make_head(num_level_embeds=1)
