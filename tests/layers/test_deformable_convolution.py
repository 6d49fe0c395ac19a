"""Deformable convolution against mmcv's compiled operator for the host, and in a backbone."""

from __future__ import annotations

import pytest
import torch
from mmcv.ops import ModulatedDeformConv2dPack
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from torch.nn import functional

from bevdistill.layers import DeformableConvolution


@pytest.mark.parametrize('options', [
    dict(padding=1),
    dict(padding=2, dilation=2, stride=2, bias=False),
    dict(padding=(1, 0), groups=2, deform_groups=2),
])  # fmt: skip
def test_same_as_mmcv(options):
    kernel = (3, 2) if options.get('groups') else 3
    ours = DeformableConvolution(4, 6, kernel, **options)
    theirs = ModulatedDeformConv2dPack(4, 6, kernel, **options)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(2, 4, 7, 5, requires_grad=True)
    want, got = theirs(image), ours(image)
    onto = torch.randn_like(want)
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)
    gradients = [
        torch.autograd.grad((output * onto).sum(), [image, *layer.parameters()])
        for output, layer in ((got, ours), (want, theirs))
    ]
    torch.testing.assert_close(*gradients, atol=2e-4, rtol=1e-4)


def test_without_offsets_it_is_half_a_convolution():
    """The start values: offsets 0, mask sigmoid(0)."""
    layer = DeformableConvolution(3, 5, 3, padding=1, bias=False)
    image = torch.randn(1, 3, 6, 4)
    torch.testing.assert_close(layer(image), 0.5 * functional.conv2d(image, layer.weight, padding=1))


def test_samples_are_not_kept():
    layer = DeformableConvolution(8, 2, 3, padding=1)
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(torch.randn(1, 8, 9, 9, requires_grad=True))
    assert max(kept) < 9 * 9 * 9 * 8


def test_under_autocast():
    layer = DeformableConvolution(3, 5, 3, padding=1)
    image = torch.randn(1, 3, 6, 4, requires_grad=True)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        output = layer(image)
    output.float().sum().backward()
    assert output.dtype == torch.bfloat16 and image.grad.isfinite().all()


def test_a_backbone_finds_it():
    init_default_scope('mmdet3d')
    backbone = MODELS.build(dict(
        type='mmdet.ResNet', depth=50, base_channels=4, stage_with_dcn=(False, False, False, True), out_indices=(3,),
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
    ))  # fmt: skip
    found = {type(module) for module in backbone.modules() if isinstance(module, ModulatedDeformConv2dPack)}
    assert found == {DeformableConvolution}
