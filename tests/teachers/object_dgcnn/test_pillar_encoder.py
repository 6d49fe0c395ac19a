from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmdet3d.models.voxel_encoders import PillarFeatureNet
from torch import nn

from bevdistill.distributed.batch_norm import synchronise_batch_norms
from bevdistill.teachers.object_dgcnn.pillar_encoder import FlatPFNLayer, FlatPillarFeatureNet

CONFIG = dict(in_channels=5, voxel_size=[0.4, 0.4, 8.0], point_cloud_range=[-10.0, -10.0, -5.0, 10.0, 10.0, 3.0])


def pillars(count: int = 30, points: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    num_points = torch.randint(1, points + 1, (count,))
    voxels = torch.randn(count, points, 5) * (torch.arange(points) < num_points[:, None])[..., None]
    coors = torch.stack((torch.zeros(count), torch.zeros(count), *torch.randint(0, 50, (2, count))), dim=1).int()
    return voxels, num_points, coors


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('channels', [(16,), (16, 24)])
@pytest.mark.parametrize('mode', ['max', 'avg'])
def test_same_numbers_gradients_and_statistics_as_mmdet3d(training: bool, channels: tuple, mode: str) -> None:
    theirs = PillarFeatureNet(feat_channels=channels, mode=mode, legacy=False, **CONFIG).train(training)
    ours = FlatPillarFeatureNet(feat_channels=channels, mode=mode, **CONFIG).train(training)
    for layer in theirs.pfn_layers:
        nn.init.normal_(layer.norm.weight)
        nn.init.normal_(layer.norm.bias)
        nn.init.normal_(layer.norm.running_mean)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    voxels, num_points, coors = pillars()
    got, want = (net.double()(voxels.double(), num_points, coors) for net in (ours, theirs))
    torch.testing.assert_close(got, want)
    got.square().sum().backward()
    want.square().sum().backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.fixture
def in_one_list(monkeypatch: pytest.MonkeyPatch) -> Callable[..., torch.Tensor]:
    """``in_one_list(net, *pillars)``: what an encoder answers that normalises all places in one list."""

    def run(net: FlatPillarFeatureNet, voxels: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        with monkeypatch.context() as patched:
            patched.setattr(FlatPFNLayer, '_pools_first', lambda self, inputs: False)
            return net(voxels.clone(), *others)

    return run


def one_layer() -> FlatPillarFeatureNet:
    net = FlatPillarFeatureNet(feat_channels=(16,), **CONFIG)
    nn.init.normal_(net.pfn_layers[0].norm.weight)
    return net


def test_closer_to_float64_than_one_list_is(in_one_list: Callable[..., torch.Tensor]) -> None:
    """Of many points torch's batch norm on CPUs loses digits of the variance."""
    net = one_layer()
    voxels, num_points, coors = pillars(count=20_000, points=10)
    got, listed = net(voxels.clone(), num_points, coors), in_one_list(net, voxels, num_points, coors)
    want = in_one_list(net.double(), voxels.double(), num_points, coors)
    assert float((got - want).abs().max()) <= float((listed - want).abs().max())
    torch.testing.assert_close(got.double(), want, atol=1e-5, rtol=1e-5)


def test_a_frozen_norm_keeps_its_statistics(in_one_list: Callable[..., torch.Tensor]) -> None:
    net, batch = one_layer(), pillars()
    net.pfn_layers[0].norm.eval()
    before = {name: value.clone() for name, value in net.named_buffers()}
    torch.testing.assert_close(net(batch[0].clone(), *batch[1:]), in_one_list(net, *batch))
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())


def test_a_pillar_without_points_is_all_empty_places() -> None:
    layer, inputs = one_layer().eval().pfn_layers[0], torch.randn(3, 4, 11)
    counts = torch.tensor([0, 2, 4])
    inputs *= (torch.arange(4) < counts[:, None])[..., None]
    own = layer(inputs, counts)
    assert torch.equal(own[0, 0], layer.norm(torch.zeros(1, 16))[0].relu())
    torch.testing.assert_close(own, layer(inputs.requires_grad_(), counts).detach())


def test_half_precision_keeps_the_kind_of_its_input(in_one_list: Callable[..., torch.Tensor]) -> None:
    net, batch = one_layer(), pillars()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = net(batch[0].clone(), *batch[1:])
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, in_one_list(net, *batch))


def test_norms_that_meet_other_ranks_are_asked_themselves() -> None:
    net = one_layer()
    assert net.pfn_layers[0]._pools_first(torch.randn(2, 4, 11))
    net = synchronise_batch_norms(net)
    assert not net.pfn_layers[0]._pools_first(torch.randn(2, 4, 11))
    assert net.eval().pfn_layers[0]._pools_first(torch.randn(2, 4, 11))


def test_a_single_pillar() -> None:
    voxels, num_points, coors = pillars(count=1)
    assert FlatPillarFeatureNet(feat_channels=(16,), **CONFIG)(voxels, num_points, coors).shape == (1, 16)
