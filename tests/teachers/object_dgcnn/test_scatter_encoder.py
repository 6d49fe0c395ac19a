from __future__ import annotations

from collections import defaultdict

import pytest
import torch
from mmdet3d.models.voxel_encoders import DynamicVFE

from bevdistill.teachers import ScatterVFE

SIZE, LOW = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([-2.0, -3.0, -1.0])
CONFIG = dict(
    in_channels=5, feat_channels=[6, 8], voxel_size=SIZE.tolist(), point_cloud_range=[-2.0, -3.0, -1.0, 2.0, 3.0, 3.0]
)
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA: mmdet3d pools on CUDA alone')


def cloud(points: int = 160, batch: int = 2, outside: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Points in few voxels, so that voxels share points, and their voxels as mmcv's voxelisation gives them."""
    xyz = LOW + torch.rand(points, 3) * torch.tensor([4.0, 2.5, 4.0])
    if outside:
        xyz[::7, 0] = 5.0
    index = ((xyz - LOW) / SIZE).floor().int().flip(1)
    index[(xyz[:, 0] > 2.0)] = -1
    sample = torch.arange(points) * batch // points
    return torch.cat((xyz, torch.rand(points, 2)), 1), torch.cat((sample[:, None].int(), index), 1)


def by_loops(encoder: ScatterVFE, features: torch.Tensor, coors: torch.Tensor) -> dict[tuple, torch.Tensor]:
    """The definition, voxel by voxel."""
    members = defaultdict(list)
    for point, voxel in enumerate(coors.tolist()):
        if min(voxel) >= 0:
            members[tuple(voxel)].append(point)
    order = [point for points in members.values() for point in points]
    described = []
    for voxel, points in members.items():
        mean = sum(features[point, :3] for point in points) / len(points)
        centre = torch.tensor([(voxel[3 - axis] + 0.5) * SIZE[axis] + LOW[axis] for axis in range(3)])
        for point in points:
            xyz = features[point, :3]
            described.append(torch.cat((features[point], xyz - mean, xyz - centre)))
    rows = dict(zip(order, described, strict=True))
    pooled = {}
    for i, layer in enumerate(encoder.vfe_layers):
        answers = layer(torch.stack([rows[point] for point in order]))
        rows = dict(zip(order, answers, strict=True))
        for voxel, points in members.items():
            stacked = torch.stack([rows[point] for point in points])
            pooled[voxel] = stacked.amax(0) if encoder.mode == 'max' else stacked.mean(0)
        if i < len(encoder.vfe_layers) - 1:
            rows = {p: torch.cat((rows[p], pooled[voxel])) for voxel, points in members.items() for p in points}
    return pooled


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('mode', ['max', 'avg'])
def test_values_gradients_and_statistics_by_loops(mode: str, training: bool) -> None:
    encoder, other = (ScatterVFE(mode=mode, **CONFIG).train(training) for _ in range(2))
    other.load_state_dict(encoder.state_dict())
    features, coors = cloud()
    got, voxels = encoder(features, coors)
    want = by_loops(other, features, coors)
    assert len(want) < len(features) / 2
    assert sorted(map(tuple, voxels.tolist())) == sorted(want)
    want_VC = torch.stack([want[tuple(voxel)] for voxel in voxels.tolist()])
    torch.testing.assert_close(got, want_VC, atol=1e-5, rtol=1e-4)
    weight = torch.randn_like(got)
    (got * weight).sum().backward()
    (want_VC * weight).sum().backward()
    for mine, theirs in zip(encoder.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-3)
    for mine, theirs in zip(encoder.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


@NEEDS_CUDA
@pytest.mark.parametrize('mode', ['max', 'avg'])
def test_same_as_mmdet3d(mode: str) -> None:
    theirs = DynamicVFE(with_cluster_center=True, with_voxel_center=True, mode=mode, **CONFIG).cuda()
    ours = ScatterVFE(mode=mode, **CONFIG).cuda()
    ours.load_state_dict(theirs.state_dict())
    # They let points outside the range into the batch norms.
    features, coors = (tensor.cuda() for tensor in cloud(outside=False))
    (got, got_at), (want, want_at) = ours(features, coors), theirs(features, coors)
    keys = [
        {tuple(at): row for at, row in zip(where.tolist(), value, strict=True)}
        for where, value in ((got_at, got), (want_at, want))
    ]
    assert keys[0].keys() == keys[1].keys()
    for at, row in keys[0].items():
        torch.testing.assert_close(row, keys[1][at], atol=1e-5, rtol=1e-4)


def test_parameter_names_of_mmdet3d() -> None:
    theirs = DynamicVFE(with_cluster_center=True, with_voxel_center=True, **CONFIG)
    ours = ScatterVFE(**CONFIG)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert ours.state_dict()['vfe_layers.0.0.weight'].shape == (6, 11)
    assert ours.out_channels == 8


def test_a_point_does_not_depend_on_order_or_on_other_samples() -> None:
    encoder = ScatterVFE(**CONFIG).eval()
    features, coors = cloud()
    got, voxels = encoder(features, coors)
    shuffle = torch.randperm(len(features))
    again, same = encoder(features[shuffle], coors[shuffle])
    assert torch.equal(voxels, same)
    torch.testing.assert_close(got, again)
    second = coors[:, 0] == 1
    alone, where = encoder(features[second], coors[second])
    assert torch.equal(where, voxels[voxels[:, 0] == 1])
    torch.testing.assert_close(alone, got[voxels[:, 0] == 1])


def test_no_point_inside() -> None:
    encoder = ScatterVFE(**CONFIG)
    for features, coors in ((torch.rand(3, 5), torch.full((3, 4), -1)), (torch.rand(0, 5), torch.zeros(0, 4))):
        got, voxels = encoder(features, coors.int())
        assert got.shape == (0, 8) and voxels.shape == (0, 4)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_full_precision_under_autocast_and_from_other_types(dtype: torch.dtype) -> None:
    encoder = ScatterVFE(**CONFIG).eval()
    features, coors = cloud()
    want, _ = encoder(features, coors)
    with torch.autocast('cpu', dtype):
        got, _ = encoder(features, coors)
    assert got.dtype == torch.float32
    assert torch.equal(got, want)
    assert encoder(features.double(), coors.long())[0].dtype == torch.float32


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be 'max' or 'avg', got 'mean'"):
        ScatterVFE(mode='mean', **CONFIG)
