"""Pillar points, projection and the collection of hits."""

from __future__ import annotations

import torch

from bevdistill.structures import BEVGrid
from bevdistill.students.bevformer import FrameGeometry
from bevdistill.students.bevformer.frame import CameraHits, pillar_points, project

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)


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
    for padded in (False, True):
        hits = CameraHits.gather(uv, seen, padded)
        assert len(hits.row) == (6 * longest if padded else len(want))
        real = hits.weight > 0
        assert hits.row[real].tolist() == [b * 7 + q for b, n, q in want]
        assert hits.image[real].tolist() == [b * 3 + n for b, n, q in want]
        assert torch.equal(hits.points[real], torch.stack([uv[pair] for pair in want]))
        counts = [sum(bool(seen[b, m, q].any()) for m in range(3)) for b, n, q in want]
        torch.testing.assert_close(hits.weight[real], 1 / torch.tensor(counts))
        assert ((hits.row >= 0) & (hits.row < 14)).all()
    assert hits.image.tolist() == [image for image in range(6) for _ in range(longest)]
