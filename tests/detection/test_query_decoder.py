"""Query decoder, branches and reference refinement."""

from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from torch import nn

from bevdistill.detection import QueryDecoder, make_cls_branch, make_reg_branch, to_codes
from bevdistill.layers import FeatureLevels
from bevdistill.structures import BEVGrid

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)


def recorded_decoder(weights: dict[str, torch.Tensor], reference_dims: int, **options) -> tuple:
    decoder = QueryDecoder(2, 32, num_heads=4, dropout=0.1, **options).eval()
    prefix = 'transformer.decoder.'
    decoder.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    branches = nn.ModuleDict(
        dict(
            cls_branches=nn.ModuleList(make_cls_branch(32, 10) for _ in range(2)),
            reg_branches=nn.ModuleList(make_reg_branch(32) for _ in range(2)),
        )
    )
    branches.load_state_dict({k: v for k, v in weights.items() if '_branches.' in k})
    start = nn.Linear(32, reference_dims)
    start.load_state_dict({k: weights[f'transformer.reference_points.{k}'] for k in ('weight', 'bias')})
    position, content = weights['query_embedding.weight'][None].chunk(2, dim=-1)
    return decoder, branches, start(position).sigmoid(), content, position


@pytest.mark.parametrize('variant', ['no_prev', 'with_prev'])
def test_student_decoder_matches_original(golden, variant):
    _, data = golden('head_forward')
    data = {name: torch.from_numpy(value) for name, value in data.items()}
    weights = {name.removeprefix('w.'): value for name, value in data.items() if name.startswith('w.')}
    decoder, branches, references, content, position = recorded_decoder(weights, 3, feedforward_channels=64)
    torch.testing.assert_close(references, data[f'out.{variant}.init_reference'])
    tokens = data[f'out.{variant}.bev_embed'].transpose(0, 1)
    outputs = decoder(content, position, references, tokens, FeatureLevels.of([(10, 8)]), branches['reg_branches'])
    check = {'atol': 1e-4, 'rtol': 1e-4}
    torch.testing.assert_close(outputs.states, data[f'out.{variant}.inter_states'].transpose(1, 2), **check)
    torch.testing.assert_close(outputs.references[1], data[f'out.{variant}.inter_references'][0], **check)
    codes = to_codes(outputs.raw, outputs.references, BEVGrid(RANGE, 10, 8))
    torch.testing.assert_close(codes, data[f'out.{variant}.all_bbox_preds'], **check)
    logits = torch.stack([b(s) for b, s in zip(branches['cls_branches'], outputs.states, strict=True)])
    torch.testing.assert_close(logits, data[f'out.{variant}.all_cls_scores'], **check)


def test_teacher_decoder_matches_original(golden):
    _, data = golden('teacher_head_forward')
    data = {name: torch.from_numpy(value) for name, value in data.items()}
    weights = {name.removeprefix('w.'): value for name, value in data.items() if name.startswith('w.')}
    decoder, branches, references, content, position = recorded_decoder(
        weights, 2, feedforward_channels=48, num_levels=4
    )
    torch.testing.assert_close(references, data['out.init_reference'])
    levels = FeatureLevels.of([(16, 16), (8, 8), (4, 4), (2, 2)])
    outputs = decoder(
        content, position, references, data['out.memory'].transpose(0, 1), levels, branches['reg_branches']
    )
    torch.testing.assert_close(outputs.states, data['out.inter_states'].transpose(1, 2), atol=1e-4, rtol=1e-4)
    codes = to_codes(outputs.raw, outputs.references, BEVGrid(RANGE, 16, 16))
    torch.testing.assert_close(codes, data['out.all_bbox_preds'], atol=1e-4, rtol=1e-4)


def small_inputs(batch: int, dims: int = 3) -> tuple:
    return (
        torch.randn(batch, 5, 16),
        torch.randn(batch, 5, 16),
        torch.rand(batch, 5, dims),
        torch.randn(batch, 3 * 7 + 2 * 4, 16),
        FeatureLevels.of([(3, 7), (2, 4)]),
    )


@pytest.mark.parametrize('dims', [2, 3])
def test_samples_do_not_mix(dims):
    decoder = QueryDecoder(2, 16, num_heads=2, feedforward_channels=24, num_levels=2).eval()
    branches = nn.ModuleList(make_reg_branch(16) for _ in range(2))
    *tensors, levels = small_inputs(2, dims)
    both = decoder(*tensors, levels, branches)
    for sample in range(2):
        alone = decoder(*(tensor[sample : sample + 1] for tensor in tensors), levels, branches)
        for one, two in zip(alone, both, strict=True):
            torch.testing.assert_close(one[:, 0], two[:, sample], atol=1e-5, rtol=1e-5)


def test_references_are_refined_in_logit_space_and_detached():
    decoder = QueryDecoder(2, 16, num_heads=2, feedforward_channels=24, num_levels=2).eval()
    branches = nn.ModuleList(make_reg_branch(16) for _ in range(2))
    *tensors, levels = small_inputs(1)
    tensors[2].requires_grad_()
    outputs = decoder(*tensors, levels, branches)
    for query in range(5):
        for axis, slot in enumerate((0, 1, 4)):
            start = outputs.references[0, 0, query, axis]
            moved = torch.sigmoid(outputs.raw[0, 0, query, slot] + torch.log(start / (1 - start)))
            torch.testing.assert_close(outputs.references[1, 0, query, axis], moved)
    assert torch.autograd.grad(outputs.references[1].sum(), tensors[2], retain_graph=True)[0].abs().sum() == 0
    assert torch.autograd.grad(outputs.references[0].sum(), tensors[2])[0].abs().sum() > 0


def test_two_dimensional_references_leave_height_in_metres():
    grid, raw = BEVGrid(RANGE, 4, 4), torch.randn(3, 10)
    references = torch.rand(3, 2)
    codes = to_codes(raw, references, grid)
    assert torch.equal(codes[:, [2, 3, 4, 5, 6, 7, 8, 9]], raw[:, [2, 3, 4, 5, 6, 7, 8, 9]])
    centre = grid.denormalise((raw[:, :2] + torch.logit(references)).sigmoid())
    torch.testing.assert_close(codes[:, :2], centre)
    with pytest.raises(ValueError, match='references hold'):
        to_codes(raw, torch.rand(3, 4), grid)


@MODELS.register_module()
class SwapSelfAttention(nn.Module):
    """Stands for the teacher's graph attention in these tests."""

    def __init__(self, embed_dims: int, num_heads: int, batch_first: bool) -> None:
        super().__init__()
        assert batch_first
        self.embed_dims = embed_dims
        self.conv1 = nn.Linear(embed_dims, embed_dims)

    def forward(self, query, key=None, value=None, identity=None, query_pos=None, **kwargs):
        return query + self.conv1(query + query_pos)


def test_self_attention_is_one_operator_with_the_numbers_of_the_parts():
    decoder = QueryDecoder(1, 16, num_heads=2, num_levels=2, dropout=0.0)
    branches = [make_reg_branch(16)]
    attention = decoder.layers[0].attentions[0].attn
    found = []
    for fused in (True, False):
        if not fused:
            attention._forward_pre_hooks.clear()
        torch.manual_seed(0)
        with torch.profiler.profile() as profile:
            states = decoder(*small_inputs(2), branches).states
        names = {event.name for event in profile.events()}
        assert ('aten::scaled_dot_product_attention' in names) == fused
        found.append([states, *torch.autograd.grad(states.square().sum(), decoder.layers.parameters())])
    torch.testing.assert_close(*found)


def test_another_self_attention():
    decoder = QueryDecoder(
        2, 16, num_heads=2, feedforward_channels=24, num_levels=2, self_attention=dict(type='SwapSelfAttention')
    )
    assert 'layers.1.attentions.0.conv1.weight' in decoder.state_dict()
    *tensors, levels = small_inputs(2)
    outputs = decoder(*tensors, levels, nn.ModuleList(make_reg_branch(16) for _ in range(2)))
    assert outputs.states.shape == (2, 2, 5, 16) and outputs.raw.shape == (2, 2, 5, 10)


def test_messages():
    with pytest.raises(ValueError, match="no registered module is called 'Nothing'"):
        QueryDecoder(1, 16, self_attention=dict(type='Nothing'))
    with pytest.raises(ValueError, match='at least one layer'):
        QueryDecoder(0, 16)
    decoder = QueryDecoder(2, 16, num_heads=2)
    *tensors, levels = small_inputs(1)
    with pytest.raises(ValueError, match='built for 1 BEV levels'):
        decoder(*tensors, levels, nn.ModuleList())
