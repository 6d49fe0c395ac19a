from __future__ import annotations

import pytest
import torch
from mmdet3d.models.voxel_encoders import PillarFeatureNet

from bevdistill.teachers.object_dgcnn.pillar_encoder import FlatPillarFeatureNet

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
    ours.load_state_dict(theirs.state_dict(), strict=True)
    voxels, num_points, coors = pillars()
    got, want = (net(voxels.clone(), num_points, coors) for net in (ours, theirs))
    torch.testing.assert_close(got, want)
    got.square().sum().backward()
    want.square().sum().backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-4, rtol=1e-4)
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, other)


def test_a_single_pillar() -> None:
    voxels, num_points, coors = pillars(count=1)
    assert FlatPillarFeatureNet(feat_channels=(16,), **CONFIG)(voxels, num_points, coors).shape == (1, 16)
