"""Voxels against loops over points, and against mmcv's compiled operator for the host."""

from __future__ import annotations

import pytest
import torch
from host_syncs import count_host_syncs
from mmdet3d.models.data_preprocessors.voxelize import VoxelizationByGridShape

from bevdistill.layers.voxels import count_voxels, hard_voxels, voxel_coordinates

SIZE, RANGE, SHAPE = (0.5, 0.5, 2.0), (-2.0, -1.5, -2.0, 2.0, 1.5, 2.0), (8, 6, 2)


def cloud(count, spread=2.5):
    points = torch.randn(count, 4) * spread / 2
    if count > 3:
        points[0, :3], points[1, 1], points[2, :3] = 2.0, float('nan'), torch.tensor([-2.0, -1.5, -2.0])
    return points


def loops(points, max_points, max_voxels):
    """(sample, z, y, x) in the order of first points, each with its points."""
    voxels = {}
    for sample, part in enumerate(points):
        own = {}
        for point in part:
            x, y, z = (((point[axis] - RANGE[axis]) / SIZE[axis]).floor().item() for axis in range(3))
            if not (0 <= x < SHAPE[0] and 0 <= y < SHAPE[1] and 0 <= z < SHAPE[2]):
                continue
            key = (sample, int(z), int(y), int(x))
            if key in own or len(own) < max_voxels:
                own.setdefault(key, []).append(point)
        voxels |= {key: found[:max_points] for key, found in own.items()}
    return voxels


@pytest.mark.parametrize(('counts', 'max_points', 'max_voxels'), [
    ((40,), 3, 100), ((60, 0, 25), 2, 7), ((1,), 1, 1), ((0, 0), 3, 10), ((5, 30), 4, 100),
])  # fmt: skip
def test_hard_voxels_equal_loops(counts, max_points, max_voxels):
    points = [cloud(count) for count in counts]
    found = hard_voxels(points, SIZE, RANGE, SHAPE, max_points, max_voxels)
    want = loops(points, max_points, max_voxels)
    assert [tuple(row) for row in found.coors.tolist()] == list(want)
    assert found.num_points.tolist() == [len(part) for part in want.values()]
    assert found.voxels.shape == (len(want), max_points, 4) and found.coors.shape == (len(want), 4)
    for voxel, part in zip(found.voxels, want.values(), strict=True):
        assert torch.equal(voxel[: len(part)], torch.stack(part)) and not voxel[len(part) :].any()


def test_same_as_mmcv():
    points = torch.rand(3000, 5) * 6 - 3
    layer = VoxelizationByGridShape(list(RANGE), 4, list(SIZE), max_voxels=(60, 60))
    voxels, coors, num_points = layer(points)
    found = hard_voxels([points], SIZE, RANGE, layer.grid_shape, 4, 60)
    assert torch.equal(found.voxels, voxels) and torch.equal(found.num_points, num_points)
    assert torch.equal(found.coors[:, 1:], coors)
    dynamic = VoxelizationByGridShape(list(RANGE), -1, list(SIZE), max_voxels=(-1, -1))
    assert torch.equal(voxel_coordinates(points, SIZE, RANGE, layer.grid_shape), dynamic(points))


def test_the_host_waits_once_for_a_batch():
    points = [cloud(20), cloud(30), cloud(10)]
    hard_voxels(points, SIZE, RANGE, SHAPE, 2, 10)
    with count_host_syncs() as syncs:
        voxel_coordinates(points[0], SIZE, RANGE, SHAPE)
    assert syncs.number == 0, str(syncs)
    with count_host_syncs() as syncs:
        hard_voxels(points, SIZE, RANGE, SHAPE, 2, 10)
    assert syncs.number == 1, str(syncs)
    counts = [count_voxels(part, SIZE, RANGE, SHAPE) for part in points]
    with count_host_syncs() as syncs:
        hard_voxels(points, SIZE, RANGE, SHAPE, 2, 10, counts)
    assert syncs.number == 0, str(syncs)


@pytest.mark.parametrize('max_voxels', [3, 100])
def test_counted_beforehand(max_voxels):
    points = [cloud(40), cloud(0), cloud(5), torch.full((2, 4), 9.0)]
    counts = [count_voxels(part, SIZE, RANGE, SHAPE) for part in points]
    assert counts == [len(loops([part], 1, 1000)) for part in points]
    found = hard_voxels(points, SIZE, RANGE, SHAPE, 2, max_voxels, counts)
    for own, want in zip(found, hard_voxels(points, SIZE, RANGE, SHAPE, 2, max_voxels), strict=True):
        assert torch.equal(own, want)
