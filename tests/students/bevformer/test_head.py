"""The whole head against the original, its options, losses and start values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bevdistill.students.bevformer import FrameGeometry

CHECK = dict(atol=1e-4, rtol=1e-4)


def recorded_case(golden, case):
    _, data = golden(case)
    data = {name: torch.from_numpy(value) for name, value in data.items()}
    weights = {name.removeprefix('w.'): value for name, value in data.items() if name.startswith('w.')}
    return data, weights


@pytest.mark.parametrize(
    ('case', 'variant', 'released'),
    [
        ('head_forward', 'no_prev', False),
        ('head_forward', 'with_prev', False),
        ('head_forward', 'with_prev', True),
        ('distill_student_head_forward', 'no_prev', True),
        ('distill_student_head_forward', 'with_prev', True),
    ],
)
def test_matches_original(golden, make_head, old_convention, case, variant, released):
    data, weights = recorded_case(golden, case)
    distill = case.startswith('distill')
    head = make_head(released, rotate_center=[4, 5], aux_heatmap=dict(share_channels=8) if distill else None)
    head.load_state_dict(weights)
    frames = FrameGeometry(data['in.lidar2img'].float(), data[f'in.{variant}.can_bus'].float()[None], (96, 160))
    bev = head.encode(
        [data['in.mlvl_feats_0'], data['in.mlvl_feats_1']],
        frames,
        data['in.prev_bev'] if variant == 'with_prev' else None,
    )
    outputs = head(bev)
    # In the distillation repository the shift of both halves is the only variant, so its outputs have no suffix.
    suffix = '_aliased' if released and not distill else ''
    torch.testing.assert_close(bev, data[f'out.{variant}.bev_embed{suffix}'].transpose(0, 1), **CHECK)
    torch.testing.assert_close(outputs.logits, data[f'out.{variant}.all_cls_scores{suffix}'], **CHECK)
    torch.testing.assert_close(outputs.codes, data[f'out.{variant}.all_bbox_preds{suffix}'], **CHECK)
    assert outputs.bev.shape == (1, 32, 10, 8)
    torch.testing.assert_close(outputs.bev.flatten(2).transpose(1, 2), bev)
    if suffix:
        return
    torch.testing.assert_close(outputs.states, data[f'out.{variant}.inter_states'].transpose(1, 2), **CHECK)
    torch.testing.assert_close(outputs.references[0], data[f'out.{variant}.init_reference'], **CHECK)
    torch.testing.assert_close(outputs.references[1], data[f'out.{variant}.inter_references'][0], **CHECK)
    ((boxes, scores, labels),) = head.coder.decode(outputs.logits[-1], old_convention.codes(outputs.codes[-1]))
    want = old_convention.boxes(data[f'out.{variant}.decoded_boxes'])
    want[:, 2] += want[:, 5] / 2
    assert torch.equal(labels, data[f'out.{variant}.decoded_labels'])
    torch.testing.assert_close(scores, data[f'out.{variant}.decoded_scores'], **CHECK)
    torch.testing.assert_close(boxes[:, [0, 1, 2, 3, 4, 5, 7, 8]], want[:, [0, 1, 2, 3, 4, 5, 7, 8]], **CHECK)
    torch.testing.assert_close((boxes[:, 6] - want[:, 6]).cos(), torch.ones(len(want)))
    if distill:
        centres = head.grid.sampling_grid(outputs.codes[..., :2])
        torch.testing.assert_close(centres, data[f'out.{variant}.sampling_points'], **CHECK)


def test_position_embedding_matches_original(golden, make_head):
    data, weights = recorded_case(golden, 'head_forward')
    head = make_head()
    head.load_state_dict(weights)
    torch.testing.assert_close(head.positional_encoding(torch.zeros(1, 10, 8)), data['out.bev_pos'])


@pytest.mark.parametrize('case', ['init_bevformer_tiny_head', 'init_bevdistill_r50_student_head'])
def test_start_values_have_the_originals_statistics(golden, make_head, case):
    meta, _ = golden(case)
    stats = meta['params']
    rows = stats['positional_encoding.row_embed.weight']['shape'][0]
    cams, channels = stats['transformer.cams_embeds']['shape']
    encoder_layers = 1 + max(int(k.split('.')[3]) for k in stats if k.startswith('transformer.encoder.layers'))
    levels = stats['transformer.encoder.layers.0.attentions.1.deformable_attention.sampling_offsets.bias']['shape'][0]
    head = make_head(
        rows=rows,
        cols=rows,
        encoder=dict(num_layers=encoder_layers, num_levels=levels // 128),
        decoder=dict(num_layers=6),
        num_queries=900,
        embed_dims=channels,
        num_cams=cams,
        num_level_embeds=4,
        aux_heatmap=dict() if 'shared_conv.conv.weight' in stats else None,
    )
    head.init_weights()
    state = {k: v for k, v in head.state_dict().items() if not k.endswith('num_batches_tracked')}
    assert set(state) == set(stats)
    for name, want in stats.items():
        value = state[name].double()
        assert list(value.shape) == want['shape'], name
        if 'heatmap' in name or name.startswith('shared_conv'):
            continue  # The original never initialises this branch; ours starts as CenterPoint's.
        if 'constant' in want:
            assert torch.equal(value, torch.full_like(value, want['constant'])), name
            continue
        spread = max(want['std'], 1e-6)
        error = 6 * spread / math.sqrt(value.numel())
        assert abs(float(value.mean()) - want['mean']) < 2 * error, name
        assert float(value.std()) == pytest.approx(want['std'], abs=2 * error), name


def test_branches_start_equal_but_apart(make_head):
    head = make_head()
    first, second = head.reg_branches
    assert torch.equal(first[0].weight, second[0].weight) and first[0].weight is not second[0].weight
    head.init_weights()
    prior = torch.full((10,), math.log(0.01 / 0.99))
    assert all(torch.allclose(branch[-1].bias, prior) for branch in head.cls_branches)


def test_output_convolutions(make_head):
    bev = torch.randn(2, 80, 32)
    head = make_head(num_output_convs=2)
    outputs = head(bev)
    first, _, second = head.output_convs
    want = second(first(bev.transpose(1, 2).reshape(2, 32, 10, 8)).relu())
    torch.testing.assert_close(outputs.bev, want)
    plain = make_head()
    plain.load_state_dict({k: v for k, v in head.state_dict().items() if 'output_convs' not in k})
    torch.testing.assert_close(plain(want.flatten(2).transpose(1, 2)).logits, outputs.logits)


def test_heatmap_is_optional(make_head):
    head = make_head(aux_heatmap=dict(share_channels=8))
    bev = torch.randn(1, 80, 32)
    outputs = head(bev)
    assert outputs.heatmap is not None and outputs.heatmap_features is not None
    assert outputs.heatmap.shape == (1, 10, 10, 8) and outputs.heatmap_features.shape == (1, 8, 10, 8)
    assert head(bev, with_heatmap=False).heatmap is None
    torch.testing.assert_close(head(bev, with_heatmap=False).codes, outputs.codes)


def test_messages(make_head):
    with pytest.raises(ValueError, match='embed_dims must be even'):
        make_head(embed_dims=31)
    with pytest.raises(ValueError, match='code_weights must be 10 numbers'):
        make_head(code_weights=[1.0, 2.0])
    assert np.isclose(float(make_head().state_dict()['code_weights'].sum()), 8.4)
