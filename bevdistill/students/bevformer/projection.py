"""Which BEV queries each camera sees, and where.

Legend: B samples, N cameras, Q BEV queries, D pillar points, V visible queries of a camera (padded).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...layers import full_precision
from ...structures import BEVGrid
from .frame import Frames

MIN_DEPTH = 1e-5
"""Metres before the camera from which a point counts as visible."""

FAR_OUTSIDE = 10.0
"""Image sizes; points behind a camera project to anywhere, and no offset leads back from here."""


def pillar_points(
    grid: BEVGrid, num_points: int, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Points on a vertical pillar in each cell, from half a metre above the floor to half a metre under the roof.

    Heights are ``linspace(0.5, Z - 0.5, D)`` metres above ``z_min`` with Z the height of the range (BEVFormer, arXiv
    2203.17270, section 3.3). A range lower than two metres is spaced in cell centres instead, D of them.

    Returns:
        (Q, D, 3) metres, LiDAR frame.
    """
    height, floor = grid.extent[2], grid.point_cloud_range[2]
    margin = 0.5 if height >= 2 else height / (2 * num_points)
    z_D = torch.linspace(margin, height - margin, num_points, device=device, dtype=dtype) + floor
    xy_Q2 = grid.cell_centres(device, dtype).flatten(0, 1)
    return torch.cat(
        (xy_Q2[:, None].expand(-1, num_points, -1), z_D[None, :, None].expand(len(xy_Q2), -1, -1)), dim=-1
    )


def project(points_QD3: Tensor, frames: Frames) -> tuple[Tensor, Tensor]:
    """Project points into every camera, in float32 at least.

    Args:
        points_QD3: Metres, LiDAR frame.
        frames: Calibration, (B, N, 4, 4), and the size that pixels are divided by.

    Returns:
        Points (B, N, Q, D, 2), x and y in units of the padded image, and whether each is seen, (B, N, Q, D): before
        the camera and strictly inside the image.
    """
    with torch.autocast(points_QD3.device.type, enabled=False):
        matrix_BN34 = full_precision(frames.lidar2img)[..., :3, :]
        points_QD3 = points_QD3.to(matrix_BN34)
        # Element by element: a matrix product could be computed in TF32.
        x, y, z = (points_QD3[..., axis] for axis in range(3))
        rows = [
            matrix_BN34[..., row, 0, None, None] * x
            + matrix_BN34[..., row, 1, None, None] * y
            + matrix_BN34[..., row, 2, None, None] * z
            + matrix_BN34[..., row, 3, None, None]
            for row in range(3)
        ]
        depth = rows[2]
        height, width = frames.image_size
        safe_depth = depth.clamp(min=MIN_DEPTH)
        uv = torch.stack((rows[0] / safe_depth / width, rows[1] / safe_depth / height), dim=-1)
        seen = (depth > MIN_DEPTH) & ((uv > 0) & (uv < 1)).all(dim=-1)
        return uv.clamp(-FAR_OUTSIDE, FAR_OUTSIDE), seen


@dataclass(frozen=True)
class CameraHits:
    """The queries that each camera sees, padded to a common number; computed once a frame for all layers.

    Args:
        index: Rows of the flattened (B * Q) queries, (B, N, V) int64.
        weight: 1 / number of cameras that see the query, 0 for padding, (B, N, V).
        points: The query's pillar points in the camera, (B, N, V, D, 2).
    """

    index: Tensor
    weight: Tensor
    points: Tensor

    @classmethod
    def gather(cls, uv_BNQD2: Tensor, seen_BNQD: Tensor) -> CameraHits:
        """Collect the queries of which any pillar point is seen; each sample has its own hits."""
        return cls.gather_frames([(uv_BNQD2, seen_BNQD)])[0]

    @classmethod
    def gather_frames(cls, projected: Sequence[tuple[Tensor, Tensor]]) -> list[CameraHits]:
        """The same for several frames, of which each is a result of :func:`project`.

        How long the padded lists are has to be known to the host: the only time that it waits for the device in a
        forward pass, once for all frames.
        """
        hits = [seen_BNQD.any(dim=-1) for _, seen_BNQD in projected]
        lengths: list[int] = torch.stack([hit_BNQ.sum(dim=-1).max() for hit_BNQ in hits]).tolist()
        return [
            cls._padded(uv_BNQD2, hit_BNQ, max(length, 1))
            for (uv_BNQD2, _), hit_BNQ, length in zip(projected, hits, lengths, strict=True)
        ]

    @classmethod
    def _padded(cls, uv_BNQD2: Tensor, hit_BNQ: Tensor, length: int) -> CameraHits:
        """Lists of `length` queries per camera, those that it sees first."""
        order_BNV = hit_BNQ.int().argsort(dim=-1, descending=True, stable=True)[..., :length]
        cameras_BQ = hit_BNQ.sum(dim=1).clamp(min=1)
        weight_BNQ = hit_BNQ / cameras_BQ[:, None]
        batch, _, queries, depth, _ = uv_BNQD2.shape
        points = uv_BNQD2.gather(2, order_BNV[..., None, None].expand(-1, -1, -1, depth, 2))
        start_B11 = torch.arange(batch, device=order_BNV.device)[:, None, None] * queries
        return cls(order_BNV + start_B11, weight_BNQ.gather(2, order_BNV), points)
