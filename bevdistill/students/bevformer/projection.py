"""Which BEV queries each camera sees, and where.

Legend: B samples, N cameras, Q BEV queries, D pillar points, H pairs of a camera and a query that it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...layers.sampling import has_kernels
from ...structures import BEVGrid, full_precision
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
    """Which query is seen by which camera, as one list of H pairs; made once a frame for all layers.

    The pairs are sorted by sample, camera and query. A padded list has equally many pairs for each camera, as kernels
    on an accelerator want it; the pairs that fill it up weigh nothing.

    Args:
        row: The query, a row of the flattened (B * Q) queries, (H,) int64.
        image: The camera, an index into the flattened (B * N) cameras, (H,) int64.
        weight: 1 / number of cameras that see the query, 0 for padding, (H,).
        points: The query's pillar points in the camera, (H, D, 2).
    """

    row: Tensor
    image: Tensor
    weight: Tensor
    points: Tensor

    @classmethod
    def gather(cls, uv_BNQD2: Tensor, seen_BNQD: Tensor, padded: bool | None = None) -> CameraHits:
        """Collect the queries of which any pillar point is seen; each sample has its own hits."""
        return cls.gather_frames([(uv_BNQD2, seen_BNQD)], padded)[0]

    @classmethod
    def gather_frames(cls, projected: Sequence[tuple[Tensor, Tensor]], padded: bool | None = None) -> list[CameraHits]:
        """The same for several frames, of which each is a result of :func:`project`.

        How long the lists are has to be known to the host: the only time that it waits for the device in a forward
        pass, once for all frames.

        Args:
            projected: Points and whether they are seen, of each frame.
            padded: Give every camera equally many pairs; None: anywhere but on the host.
        """
        if padded is None:
            padded = not has_kernels(projected[0][0])
        hits = [seen_BNQD.any(dim=-1) for _, seen_BNQD in projected]
        # A list of its own for each camera if they are padded, otherwise one for all.
        lists = [hit_BNQ.flatten(0, 1) if padded else hit_BNQ.flatten()[None] for hit_BNQ in hits]
        lengths: list[int] = torch.stack([hit.sum(dim=-1).max() for hit in lists]).tolist()
        return [
            cls._listed(uv_BNQD2, hit_BNQ, _first_true(hit, max(length, 1)))
            for (uv_BNQD2, _), hit_BNQ, hit, length in zip(projected, hits, lists, lengths, strict=True)
        ]

    @classmethod
    def _listed(cls, uv_BNQD2: Tensor, hit_BNQ: Tensor, pair_H: Tensor) -> CameraHits:
        """Look up what belongs to pairs, which are given as indices into (B * N * Q)."""
        cams, queries = hit_BNQ.shape[1:]
        weight_BNQ = hit_BNQ / hit_BNQ.sum(dim=1, keepdim=True).clamp(min=1)
        image_H = pair_H // queries
        row_H = image_H // cams * queries + pair_H % queries
        return cls(row_H, image_H, weight_BNQ.flatten()[pair_H], uv_BNQD2.flatten(0, 2)[pair_H])


def _first_true(flag_GK: Tensor, length: int) -> Tensor:
    """Flat indices of the true entries of each row, `length` of them, filled up with others: (G * length,)."""
    rows, entries = flag_GK.shape
    order_GK = flag_GK.int().argsort(dim=-1, descending=True, stable=True)[:, :length]
    return (order_GK + torch.arange(rows, device=flag_GK.device)[:, None] * entries).flatten()
