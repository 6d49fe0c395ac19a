"""Recorded values on the way: what the tests of whole modules pass over."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bevdistill.layers import FeatureLevels
from bevdistill.students.bevformer import FrameGeometry, SpatialCrossAttention
from bevdistill.students.bevformer.frame import CameraHits

CHECK = dict(atol=1e-4, rtol=1e-4)
LEVELS = FeatureLevels.of([(12, 20), (6, 10)])


def recorded(golden: Any, case: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Arrays and weights of a case."""
    _, data = golden(case)
    data = {name: torch.from_numpy(value) for name, value in data.items()}
    return data, {name.removeprefix('w.'): value for name, value in data.items() if name.startswith('w.')}


def test_every_layer_of_the_encoder(golden, make_encoder):
    data, weights = recorded(golden, 'bevformer_encoder')
    encoder = make_encoder()
    encoder.load_state_dict(weights)
    layers: list[Tensor] = []
    for layer in encoder.layers:
        layer.register_forward_hook(lambda module, inputs, output: layers.append(output))
    encoder(
        data['in.bev_query'].transpose(0, 1),
        data['in.bev_pos'].transpose(0, 1),
        data['in.feat'].permute(2, 0, 1, 3),
        LEVELS,
        FrameGeometry(data['in.lidar2img'].float(), torch.zeros(1, 18), (96, 160)),
        data['in.shift'],
        data['in.prev_bev'].transpose(0, 1),
    )
    torch.testing.assert_close(torch.stack(layers), data['out.with_prev_all_layers'], **CHECK)


@pytest.mark.parametrize(
    'variant', ['no_prev', 'no_prev_moving', 'with_prev', 'with_prev2', 'with_prev_default_center']
)
def test_queries_with_the_vehicles_state(golden, make_head, variant):
    data, weights = recorded(golden, 'get_bev_features')
    transformer = make_head().transformer
    transformer.load_state_dict(weights)
    queries = data['in.bev_queries'] + transformer.can_bus_mlp(data[f'in.{variant}.can_bus'].float()[None])
    torch.testing.assert_close(queries, data[f'out.{variant}.bev_queries_with_can_bus'][:, 0], **CHECK)


@pytest.mark.parametrize('case', ['head_forward', 'distill_student_head_forward'])
@pytest.mark.parametrize('variant', ['no_prev', 'with_prev'])
def test_bev_alone_and_last_references(golden, make_head, case, variant):
    """The original refines the references once more after its last layer: those are the predicted centres."""
    data, weights = recorded(golden, case)
    distill = case.startswith('distill')
    head = make_head(distill, rotate_center=[4, 5], aux_heatmap=dict(share_channels=8) if distill else None)
    head.load_state_dict(weights)
    frames = FrameGeometry(data['in.lidar2img'].float(), data[f'in.{variant}.can_bus'].float()[None], (96, 160))
    prev = data['in.prev_bev'] if variant == 'with_prev' else None
    bev = head.encode([data['in.mlvl_feats_0'], data['in.mlvl_feats_1']], frames, prev)
    torch.testing.assert_close(bev, data[f'out.{variant}.only_bev'], **CHECK)
    codes = head(bev).codes
    centres = head.grid.normalise(codes[..., [0, 1, 4]])
    torch.testing.assert_close(centres, data[f'out.{variant}.inter_references'], **CHECK)


def test_camera_attention_with_positions(golden):
    """Positions reach offsets and weights, not the residual; the encoder of the original gives none."""
    data, weights = recorded(golden, 'spatial_cross_attention')
    attention = SpatialCrossAttention(32, num_heads=4, num_levels=2, num_points=8, dropout=0.0)
    attention.load_state_dict(weights)
    hits = CameraHits.gather(data['in.reference_points_cam'].transpose(0, 1), data['in.bev_mask'].transpose(0, 1))
    position = data['in.query_pos']
    output = attention(data['in.query'] + position, data['in.value'].permute(2, 0, 1, 3), hits, LEVELS) - position
    torch.testing.assert_close(output, data['out.output_with_query_pos'], **CHECK)


def test_flat_reference_points(golden, recorded_grid):
    data, _ = recorded(golden, 'point_sampling')
    centres = recorded_grid.cell_centres(normalised=True).flatten(0, 1)
    for sample in range(2):
        torch.testing.assert_close(centres, data['out.ref_2d'][sample, :, 0], atol=1e-6, rtol=1e-6)
