"""The sparse encoder against dense convolutions, and its conditions."""

from __future__ import annotations

import copy
from collections import OrderedDict

import pytest
import torch
from mmdet3d.models.middle_encoders import SparseEncoder
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn import functional as F

from bevdistill import sparse_library
from bevdistill.teachers.object_dgcnn import PortableSparseEncoder

pytest.importorskip('spconv', reason='spconv is not installed')
CONFIG = dict(
    in_channels=3,
    sparse_shape=[41, 32, 48],
    base_channels=4,
    output_channels=6,
    order=('conv', 'norm', 'act'),
    encoder_channels=((4, 4, 6), (6, 6, 6), (6, 6, 8), (8, 8)),
    encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, [0, 1, 1]), (0, 0)),
    block_type='basicblock',
)


@pytest.fixture(scope='module')
def encoder() -> PortableSparseEncoder:
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    encoder = PortableSparseEncoder(**CONFIG).eval()
    for name, value in [*encoder.named_buffers(), *encoder.named_parameters()]:
        if value.is_floating_point() and value.dim() == 1:
            nn.init.uniform_(value, 0.5, 1.5) if 'mean' not in name and 'bias' not in name else nn.init.normal_(value)
    return encoder


def voxels(count: int = 150, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    where = torch.stack([torch.randint(0, size, (count,)) for size in (batch, 40, 32, 48)], 1).unique(dim=0).int()
    return torch.randn(len(where), 3), where


class Dense:
    """Sparse convolutions as dense ones: outputs live where the sparse ones have a site, and nowhere else."""

    def __init__(self, features: torch.Tensor, coors: torch.Tensor, shape: list[int], batch: int) -> None:
        self.values = torch.zeros(batch, features.shape[1], *shape)
        self.sites = torch.zeros(batch, 1, *shape)
        b, z, y, x = coors.long().unbind(1)
        self.values[b, :, z, y, x] = features
        self.sites[b, 0, z, y, x] = 1

    def convolve(self, convolution: nn.Module) -> None:
        kernel = convolution.weight.permute(0, 4, 1, 2, 3)
        stride, pad = convolution.stride, [size // 2 for size in convolution.kernel_size]
        if not convolution.subm:
            pad = convolution.padding
            ones = torch.ones(1, 1, *convolution.kernel_size)
            self.sites = (F.conv3d(self.sites, ones, stride=stride, padding=pad) > 0).float()
        self.values = F.conv3d(self.values, kernel, stride=stride, padding=pad) * self.sites

    def normalise(self, norm: nn.BatchNorm1d) -> None:
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        self.values = (self.values * scale[:, None, None, None] + shift[:, None, None, None]) * self.sites

    def block(self, block: nn.Module) -> None:
        before = self.values
        for convolution, norm in ((block.conv1, block.bn1), (block.conv2, block.bn2)):
            self.convolve(convolution)
            self.normalise(norm)
            if convolution is block.conv2:
                self.values = self.values + before
            self.values = self.values.relu()

    def module(self, module: nn.Sequential) -> None:
        self.convolve(module[0])
        self.normalise(module[1])
        self.values = self.values.relu()


def dense(encoder: PortableSparseEncoder, features: torch.Tensor, coors: torch.Tensor, batch: int) -> torch.Tensor:
    state = Dense(features, coors, encoder.sparse_shape, batch)
    state.module(encoder.conv_input)
    for stage in encoder.encoder_layers.children():
        for part in stage.children():
            state.block(part) if hasattr(part, 'conv1') else state.module(part)
    state.module(encoder.conv_out)
    return state.values.flatten(1, 2)


@torch.no_grad()
def test_dense_convolutions_give_the_same(encoder: PortableSparseEncoder) -> None:
    features, coors = voxels()
    got = encoder(features, coors, 2)
    assert got.shape == (2, 12, 4, 6)
    assert encoder.output_shape == got.shape[1:]
    assert (got != 0).float().mean() > 0.2
    torch.testing.assert_close(got, dense(encoder, features, coors, 2), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_same_as_mmdet3d_with_the_same_names(encoder: PortableSparseEncoder) -> None:
    theirs = SparseEncoder(**CONFIG).eval()
    theirs.load_state_dict(encoder.state_dict(), strict=True)
    features, coors = voxels()
    assert torch.equal(encoder(features, coors, 2), theirs(features, coors, 2))


@pytest.mark.parametrize('layout', ['z, y, x, in, out', 'out, z, y, x, in'])
@pytest.mark.parametrize('with_metadata', [True, False])
def test_kernels_of_both_layouts_load_whatever_the_metadata_say(
    encoder: PortableSparseEncoder, layout: str, with_metadata: bool
) -> None:
    weights = encoder.state_dict()
    rebuilt = OrderedDict(
        (name, value.movedim(0, -1) if value.dim() == 5 and layout.startswith('z') else value)
        for name, value in weights.items()
    )
    if with_metadata:
        rebuilt._metadata = weights._metadata
    fresh = PortableSparseEncoder(**CONFIG)
    # A copy too, as an exponential moving average makes one.
    for other in (copy.deepcopy(fresh), fresh):
        other.load_state_dict(rebuilt, strict=True)
        for name, value in other.state_dict().items():
            assert torch.equal(value, weights[name]), name
    assert rebuilt['conv_input.0.weight'].shape == ((4, 3, 3, 3, 3) if layout.startswith('out') else (3, 3, 3, 3, 4))


def test_a_kernel_of_another_shape_is_an_error(encoder: PortableSparseEncoder) -> None:
    weights = encoder.state_dict()
    weights['conv_input.0.weight'] = torch.zeros(4, 3, 3, 3, 5)
    with pytest.raises(RuntimeError, match=r'size mismatch for conv_input\.0\.weight'):
        PortableSparseEncoder(**CONFIG).load_state_dict(weights)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_float32_under_autocast(encoder: PortableSparseEncoder, dtype: torch.dtype) -> None:
    features, coors = voxels()
    features = features.to(dtype)
    with torch.autocast('cpu', dtype):
        got = encoder(features, coors, 2)
    assert got.dtype == torch.float32
    assert torch.equal(got, encoder(features.float(), coors, 2))


@pytest.mark.parametrize('training', [True, False])
def test_a_batch_without_voxels_is_zero_and_in_the_graph(training: bool) -> None:
    encoder = PortableSparseEncoder(**CONFIG).train(training)
    if training:
        # On a CPU as if on CUDA.
        encoder.check_trainable = lambda: None
    canvas = encoder(torch.zeros(0, 3), torch.zeros(0, 4).int(), 2)
    assert canvas.shape == (2, *encoder.output_shape)
    assert not canvas.any()
    canvas.sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in encoder.parameters())


def test_training_on_a_cpu_is_refused_in_one_line() -> None:
    encoder = PortableSparseEncoder(**CONFIG)
    for attempt in (encoder.check_trainable, lambda: encoder(*voxels(), 2)):
        with pytest.raises(ValueError, match=r'cannot be trained on a CPU.*teacher_pillar02') as caught:
            attempt()
        assert '\n' not in str(caught.value)
    with torch.no_grad():
        encoder(*voxels(), 2)
    encoder.requires_grad_(False).check_trainable()
    encoder(*voxels(), 2)


def test_without_spconv_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_library, 'fault', lambda: 'nothing is installed')
    with pytest.raises(ImportError, match=r'needs spconv: nothing is installed\. The pillar detectors'):
        PortableSparseEncoder(**CONFIG)


def test_lists_of_a_config_in_place_of_tuples() -> None:
    lists = dict(order=['conv', 'norm', 'act'], encoder_channels=[[4, 4, 6], [6, 6, 6], [6, 6, 8], [8, 8]])
    as_lists = CONFIG | lists
    assert PortableSparseEncoder(**as_lists).state_dict().keys() == PortableSparseEncoder(**CONFIG).state_dict().keys()
