"""VoVNetV2: a block against one written out, the names of public weights, and a file that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn import functional as F

import bevdistill  # noqa: F401
from bevdistill.checkpoints.pretrained import take_pretrained
from bevdistill.students.vovnet import Aggregation, VoVNet


def small(depth: int = 99, **options: Any) -> VoVNet:
    init_default_scope('mmdet3d')
    built: VoVNet = MODELS.build(dict(type='VoVNet', depth=depth, base_channels=4) | options)
    return built


def test_a_block_written_out() -> None:
    block = Aggregation('OSA2_2', (3, 2, 3), dict(type='BN'), identity=True, with_cp=False).eval()
    for norm in (module for module in block.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight)
        nn.init.uniform_(norm.running_mean)
    weights, x = block.state_dict(), torch.randn(2, 3, 5, 7)

    def convolved(y: torch.Tensor, name: str, padding: int) -> torch.Tensor:
        y = F.conv2d(y, weights[f'{name}/conv.weight'], padding=padding)
        names = ('running_mean', 'running_var', 'weight', 'bias')
        mean, var, scale, shift = (weights[f'{name}/norm.{key}'].view(1, -1, 1, 1) for key in names)
        return ((y - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)

    maps = [x]
    for i in range(5):
        maps.append(convolved(maps[-1], f'layers.{i}.OSA2_2_{i}', 1))
    y = convolved(torch.cat(maps, 1), 'concat.OSA2_2_concat', 0)
    gate = torch.einsum('oi,bi->bo', weights['ese.fc.weight'][:, :, 0, 0], y.mean((2, 3))) + weights['ese.fc.bias']
    expected = y * ((gate + 3).clamp(0, 6) / 6)[:, :, None, None] + x
    torch.testing.assert_close(block(x), expected)


def test_maps_have_the_strides_and_widths_of_the_paper() -> None:
    maps = small(out_indices=(1, 2, 3), base_channels=2).eval()(torch.randn(2, 3, 70, 97))
    assert [tuple(each.shape) for each in maps] == [(2, 16, 9, 12), (2, 24, 4, 6), (2, 32, 2, 3)]
    with torch.device('meta'):
        full = VoVNet()
    for stage, (inner, out, blocks) in enumerate(((128, 256, 1), (160, 512, 3), (192, 768, 9), (224, 1024, 3)), 2):
        block = full.get_submodule(f'stage{stage}.OSA{stage}_1')
        assert (block.layers[4][0].out_channels, block.concat[0].out_channels) == (inner, out)
        assert sum('OSA' in name for name, _ in full.get_submodule(f'stage{stage}').named_children()) == blocks


@pytest.mark.parametrize('prefix', ['img_backbone.', 'backbone.bottom_up.'])
def test_weights_below_the_prefix_of_detectors_are_loaded(prefix: str, tmp_path: Path) -> None:
    """A made-up file with the names of DETR3D's (the first prefix) and DD3D's, whose norms count no batches."""
    last = 'stage5.OSA5_3.concat.OSA5_3_concat/norm.running_var'
    names = ('stem.stem_1/conv.weight', 'stage3.OSA3_1.ese.fc.bias', 'stage4.OSA4_9.layers.4.OSA4_9_4/norm.bias', last)
    source, file = small(), tmp_path / 'v2-99.pth'
    weights = {name: value for name, value in source.state_dict().items() if 'num_batches' not in name}
    assert set(names) <= set(weights)
    foreign = {f'{prefix}{name}': torch.randn_like(value) for name, value in weights.items()}
    torch.save({'model': foreign | {'fcos2d_head.cls_logits.weight': torch.zeros(1)}}, file)
    model = nn.Module()
    model.img_backbone = small(init_cfg=dict(type='Pretrained', checkpoint=str(file), prefix=prefix))
    (part,) = take_pretrained(model)
    part.load()
    loaded = model.img_backbone.state_dict()
    assert all(torch.equal(loaded[name], foreign[prefix + name]) for name in weights)
    del foreign[prefix + names[1]]
    torch.save(foreign, file)
    with pytest.raises(ValueError, match=r'(?s)does not fit:.*stage3\.OSA3_1\.ese\.fc\.bias'):
        part.load()


def test_frozen_stages_and_norms_stay_as_they_are() -> None:
    model = small(39, frozen_stages=1, with_cp=True).train()
    frozen = {name.split('.')[0] for name, weight in model.named_parameters() if not weight.requires_grad}
    assert frozen == {'stem', 'stage2'}
    assert not any(module.training for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    assert small(39, norm_eval=False, frozen_stages=0).train().stage2.OSA2_1.concat[1].training
    image = torch.randn(1, 3, 64, 64)
    grads = []
    for again in (True, False):
        for module in model.modules():
            if isinstance(module, Aggregation):
                module.with_cp = again
        model.zero_grad()
        model(image)[-1].square().sum().backward()
        grads.append(model.stage3.OSA3_1.ese.fc.weight.grad.clone())
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize(
    ('options', 'message'),
    [(dict(depth=50), 'depth must be one of 39, 57, 99, got 50'), (dict(out_indices=(3, 4)), 'stages 0 to 3, got')],
)
def test_what_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VoVNet(**options)
