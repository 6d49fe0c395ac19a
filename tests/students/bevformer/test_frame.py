"""Calibration and vehicle state of a batch, pillar points, projection and the collection of hits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bevdistill.structures import BEVGrid
from bevdistill.students.bevformer import FrameGeometry
from bevdistill.students.bevformer.frame import CameraHits, pillar_points, project, with_camera_hits

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)


def test_last_entry_of_every_queue(make_batch):
    _, samples = make_batch([0, 0], queue=3, num_cams=5, height=32, width=48)
    frames = FrameGeometry.from_samples(samples)
    assert frames.lidar2img.shape == (2, 5, 4, 4) and frames.lidar2img.dtype == torch.float32
    assert frames.image_size == (32, 48)
    for b in range(2):
        assert np.array_equal(frames.lidar2img[b].numpy(), samples[b].lidar2img[2])
        assert np.array_equal(frames.can_bus[b].numpy(), samples[b].can_bus[2])
    first = FrameGeometry.from_samples(samples, index=0)
    assert np.array_equal(first.can_bus[1].numpy(), samples[1].can_bus[0])


def test_without_motion_keeps_the_rest(make_batch):
    _, samples = make_batch([0])
    frames = FrameGeometry.from_samples(samples)
    still = frames.without_motion()
    assert not still.can_bus[:, [0, 1, 2, 17]].any()
    assert torch.equal(still.can_bus[:, 3:17], frames.can_bus[:, 3:17])
    assert frames.can_bus[:, :3].any()


def test_messages(make_batch):
    _, samples = make_batch([0])
    samples[0].set_metainfo(dict(lidar2img=np.zeros((1, 3, 3, 4))))
    with pytest.raises(ValueError, match=r"token0: 'lidar2img' must be \(queue, ..., 4, 4\), got \(1, 3, 3, 4\)"):
        FrameGeometry.from_samples(samples)
    del samples[0].lidar2img
    with pytest.raises(KeyError, match="token0 has no 'lidar2img'"):
        FrameGeometry.from_samples(samples)


def test_matches_original(golden, recorded_grid):
    _, data = golden('point_sampling')
    data = {name: torch.from_numpy(value) for name, value in data.items()}
    points = pillar_points(recorded_grid, 4)
    unit = recorded_grid.normalise(points).transpose(0, 1)
    torch.testing.assert_close(unit, data['out.ref_3d'][0], atol=1e-6, rtol=1e-6)
    frames = FrameGeometry(data['in.lidar2img'].float(), torch.zeros(2, 18), tuple(data['in.img_shape'][0].tolist()))
    uv, seen = project(points, frames)
    assert torch.equal(seen, data['out.bev_mask'].transpose(0, 1))
    want = data['out.reference_points_cam'].transpose(0, 1)
    torch.testing.assert_close(uv[seen], want[seen], atol=1e-5, rtol=1e-4)


def test_heights():
    grid = BEVGrid(RANGE, 2, 3)
    points = pillar_points(grid, 4)
    assert points.shape == (6, 4, 3)
    torch.testing.assert_close(points[0, :, 2], torch.tensor([-4.5, -2.16666, 0.16666, 2.5]))
    torch.testing.assert_close(points[4, 0, :2], torch.tensor([0.0, 25.6]))
    low = pillar_points(BEVGrid((-1, -1, 0, 1, 1, 1), 1, 1), 2)
    torch.testing.assert_close(low[0, :, 2], torch.tensor([0.25, 0.75]))


def test_behind_and_beside_the_camera_is_not_seen():
    matrix = torch.tensor([[100.0, 0, 50, 0], [0, 100, 30, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    points = torch.tensor([[0.0, 0, 5], [0, 0, -5], [2.6, 0, 5], [2.4, 0, 5], [0, 0, 0]])[:, None]
    uv, seen = project(points, FrameGeometry(matrix[None, None], torch.zeros(1, 18), (60, 100)))
    assert seen.flatten().tolist() == [True, False, False, True, False]
    torch.testing.assert_close(uv[0, 0, 3, 0], torch.tensor([0.98, 0.5]))
    assert uv.isfinite().all()


def test_hits_per_sample():
    seen = torch.rand(2, 3, 7, 2) > 0.6
    seen[1, 2] = False
    uv = torch.rand(2, 3, 7, 2, 2)
    want = [(b, n, q) for b in range(2) for n in range(3) for q in range(7) if seen[b, n, q].any()]
    longest = int(seen.any(dim=-1).sum(dim=-1).max())
    for lists, length in (('seen', len(want)), ('all', 2 * 3 * 7), ('padded', 6 * longest)):
        hits = CameraHits.gather(uv, seen, lists)
        assert len(hits.row) == length
        real = hits.weight > 0
        if lists == 'all':
            assert hits.row.tolist() == sorted(hits.row.tolist())
            want.sort(key=lambda pair: (pair[0], pair[2], pair[1]))
        else:
            want.sort()
        assert hits.row[real].tolist() == [b * 7 + q for b, n, q in want]
        assert hits.image[real].tolist() == [b * 3 + n for b, n, q in want]
        assert torch.equal(hits.points[real], torch.stack([uv[pair] for pair in want]))
        counts = [sum(bool(seen[b, m, q].any()) for m in range(3)) for b, n, q in want]
        torch.testing.assert_close(hits.weight[real], 1 / torch.tensor(counts))
        assert ((hits.row >= 0) & (hits.row < 14)).all()
    assert hits.image.tolist() == [image for image in range(6) for _ in range(longest)]


def test_hits_are_found_once_and_for_all_frames_alike():
    """Frames that know their hits keep them; the others get those that they would get alone."""
    grid = BEVGrid(RANGE, 3, 5)
    intrinsics = torch.tensor([[60.0, 0, 50, 0], [0, 60, 30, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    forward = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    backward = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))
    views = [intrinsics @ forward, intrinsics @ forward @ backward]
    frames = [FrameGeometry(view[None, None], torch.zeros(1, 18), (60, 100)) for view in views]
    together = with_camera_hits(frames, grid, num_points=4)
    alone = [with_camera_hits([frame], grid, num_points=4)[0] for frame in frames]
    for one, other in zip(together, alone, strict=True):
        for name in ('row', 'image', 'weight', 'points'):
            assert torch.equal(getattr(one.hits, name), getattr(other.hits, name))
    assert set(together[0].hits.row.tolist()) == {11, 12, 13}, 'the middle of the front row of cells'
    assert set(together[1].hits.row.tolist()) == {1, 2, 3}, 'and of the back row'
    again = with_camera_hits([together[0], frames[1]], grid, num_points=4)
    assert again[0] is together[0] and frames[1].hits is None
    assert with_camera_hits(together, grid, num_points=4) == together
    assert with_camera_hits([], grid, num_points=4) == []


def test_no_camera_sees_anything():
    hits = CameraHits.gather(torch.rand(1, 2, 4, 3, 2), torch.zeros(1, 2, 4, 3, dtype=torch.bool), 'padded')
    assert hits.row.shape == (2,) and not hits.weight.any(), 'one pair of weight 0 for each camera'
