"""Geometry of the frames of a batch: calibration, vehicle state, and which BEV queries each camera sees.

Legend: B samples, T queue entries, N cameras, Q BEV queries, D pillar points, H pairs of a camera and a query it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample
from numpy.typing import NDArray
from torch import Tensor

from ...layers.sampling.backend import Lists, lists_of
from ...structures import BEVGrid, full_precision
from ...structures.ego_state import CAN_BUS_SIZE, POSITION, YAW_DEGREES

MIN_DEPTH = 1e-5
"""Metres before the camera from which a point counts as visible."""

FAR_OUTSIDE = 10.0
"""Limit in image sizes of projected points, which may lie anywhere behind a camera; no offset leads back from here."""


@dataclass(frozen=True)
class CameraHits:
    """List of H pairs of a camera and a query that it sees; built once per frame for all layers.

    In which order they are listed, and whether pairs with weight 0 are among them, is what the backend of the sampling
    wants: see :data:`bevdistill.layers.sampling.backend.Lists`.

    Args:
        row: The query, a row of the flattened (B * Q) queries, (H,) int64.
        image: The camera, an index into the flattened (B * N) cameras, (H,) int64.
        weight: 1 / number of cameras that see the query, 0 if this one does not, (H,).
        points: The query's pillar points in the camera, (H, D, 2).
    """

    row: Tensor
    image: Tensor
    weight: Tensor
    points: Tensor

    @classmethod
    def gather(cls, uv_BNQD2: Tensor, seen_BNQD: Tensor, lists: Lists | None = None) -> CameraHits:
        """Collect the queries with a visible pillar point, sample by sample."""
        return cls.gather_frames([(uv_BNQD2, seen_BNQD)], lists)[0]

    @classmethod
    def gather_frames(
        cls, projected: Sequence[tuple[Tensor, Tensor]], lists: Lists | None = None
    ) -> list[CameraHits]:
        """Collect the hits of several frames, each given as a result of :func:`project`.

        For lists of the seen pairs, or padded ones, the host needs their lengths: the only synchronisation with the
        device in a forward pass, once for all frames. Lists of all pairs need none.

        Args:
            projected: Points and whether they are seen, of each frame.
            lists: Which pairs, see :data:`bevdistill.layers.sampling.backend.Lists`; None: what the backend wants.
        """
        lists = lists or lists_of(projected[0][0])
        hits = [seen_BNQD.any(dim=-1) for _, seen_BNQD in projected]
        if lists == 'all':
            pairs = [_by_query(hit_BNQ) for hit_BNQ in hits]
        else:
            # One list per camera if padded, otherwise one for all.
            flags = [hit_BNQ.flatten(0, 1) if lists == 'padded' else hit_BNQ.flatten()[None] for hit_BNQ in hits]
            lengths: list[int] = torch.stack([flag.sum(dim=-1).max() for flag in flags]).tolist()
            pairs = [_first_true(flag, max(length, 1)) for flag, length in zip(flags, lengths, strict=True)]
        return [
            cls._listed(uv_BNQD2, hit_BNQ, pair_H)
            for (uv_BNQD2, _), hit_BNQ, pair_H in zip(projected, hits, pairs, strict=True)
        ]

    @classmethod
    def _listed(cls, uv_BNQD2: Tensor, hit_BNQ: Tensor, pair_H: Tensor) -> CameraHits:
        """Look up rows, images, weights and points of pairs given as indices into (B * N * Q)."""
        cams, queries = hit_BNQ.shape[1:]
        weight_BNQ = hit_BNQ / hit_BNQ.sum(dim=1, keepdim=True).clamp(min=1)
        image_H = pair_H // queries
        row_H = image_H // cams * queries + pair_H % queries
        return cls(row_H, image_H, weight_BNQ.flatten()[pair_H], uv_BNQD2.flatten(0, 2)[pair_H])


@dataclass(frozen=True)
class FrameGeometry:
    """Calibration and vehicle state of one frame of each sample of a batch.

    Args:
        lidar2img: (B, N, 4, 4) float32, LiDAR frame in metres to pixels; rows 0 and 1 are divided by row 2.
        can_bus: (B, 18) float32, the vehicle's state, see :mod:`bevdistill.structures.ego_state`.
        image_size: (height, width) in pixels that the feature maps span, padding included.
        hits: Which BEV queries the cameras see, None until :func:`with_camera_hits`.
    """

    lidar2img: Tensor
    can_bus: Tensor
    image_size: tuple[int, int]
    hits: CameraHits | None = None

    @classmethod
    def from_samples(
        cls, samples: Sequence[Det3DDataSample], device: torch.device | str | None = None, index: int = -1
    ) -> FrameGeometry:
        """Collect one queue entry of every sample.

        Args:
            samples: With ``lidar2img`` (T, N, 4, 4), ``can_bus`` (T, 18) and ``batch_input_shape`` in their metainfo.
            device: Where the tensors go.
            index: Queue entry; the last one is the current frame.

        Raises:
            KeyError: If a field is missing; names it and the sample.
            ValueError: If a field has another shape.
        """
        lidar2img = np.stack([_field(sample, 'lidar2img', (4, 4))[index] for sample in samples])
        can_bus = np.stack([_field(sample, 'can_bus', (CAN_BUS_SIZE,))[index] for sample in samples])
        height, width = meta(samples[0], 'batch_input_shape')
        return cls(
            torch.from_numpy(lidar2img.astype(np.float32)).to(device, non_blocking=True),
            torch.from_numpy(can_bus.astype(np.float32)).to(device, non_blocking=True),
            (int(height), int(width)),
        )

    def without_motion(self, first_B: Tensor | None = None) -> FrameGeometry:
        """Return the frames as the first of their sequence: no motion and no turn since the previous one.

        Args:
            first_B: Which samples, (B,) bool; None: all.
        """
        can_bus = self.can_bus.clone()
        can_bus[:, POSITION] = 0
        can_bus[:, YAW_DEGREES] = 0
        if first_B is not None:
            can_bus = torch.where(first_B[:, None], can_bus, self.can_bus)
        return replace(self, can_bus=can_bus)


def pillar_points(
    grid: BEVGrid, num_points: int, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return points on a vertical pillar in each cell, from half a metre above the floor to half a metre below the top.

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


def project(points_QD3: Tensor, frames: FrameGeometry) -> tuple[Tensor, Tensor]:
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


def with_camera_hits(frames: Sequence[FrameGeometry], grid: BEVGrid, num_points: int) -> list[FrameGeometry]:
    """Fill in the hits of the frames that have none, with one synchronisation of host and device for all of them.

    Args:
        frames: Calibrations.
        grid: BEV grid, one query per cell.
        num_points: D.
    """
    todo = [frame for frame in frames if frame.hits is None]
    if not todo:
        return list(frames)
    matrix = full_precision(todo[0].lidar2img)
    points_QD3 = pillar_points(grid, num_points, matrix.device, matrix.dtype)
    found = iter(CameraHits.gather_frames([project(points_QD3, frame) for frame in todo]))
    return [replace(frame, hits=next(found)) if frame.hits is None else frame for frame in frames]


def queue_flags(samples: Sequence[Det3DDataSample], length: int) -> NDArray[np.bool_]:
    """Read which entries of the samples' queues continue the entry before.

    Args:
        samples: With ``history_exists`` (T,) in their metainfo.
        length: T, the number of frames that the images hold.

    Returns:
        (B, T).

    Raises:
        ValueError: If a queue's flags, calibrations or vehicle states are not `length` many.
    """
    for sample in samples:
        for name in ('history_exists', 'lidar2img', 'can_bus'):
            entries = len(np.atleast_1d(meta(sample, name)))
            if entries != length:
                raise ValueError(
                    f"sample {sample.metainfo.get('token', '?')}: the images hold a queue of {length} frames, "
                    f"'{name}' one of {entries}"
                )
    return np.stack([np.asarray(meta(sample, 'history_exists'), dtype=bool) for sample in samples])


def meta(sample: Det3DDataSample, name: str) -> Any:
    """Read an entry of a sample's metainfo."""
    if name not in sample.metainfo:
        raise KeyError(
            f"sample {sample.metainfo.get('token', '?')} has no '{name}' in its metainfo; "
            'the packing transform or the data preprocessor must put it there'
        )
    return sample.metainfo[name]


def _field(sample: Det3DDataSample, name: str, tail: tuple[int, ...]) -> NDArray[np.floating[Any]]:
    """Read an entry of a sample's metainfo as an array (T, ..., *tail)."""
    value = np.asarray(meta(sample, name))
    if value.ndim < 1 + len(tail) or value.shape[-len(tail) :] != tail:
        raise ValueError(
            f"sample {sample.metainfo.get('token', '?')}: '{name}' must be (queue, ..., {str(tail)[1:]}, "
            f'got {value.shape}'
        )
    return value


def _by_query(hit_BNQ: Tensor) -> Tensor:
    """Return flat indices of all pairs, sorted by sample, query and camera, (B * Q * N,)."""
    return torch.arange(hit_BNQ.numel(), device=hit_BNQ.device).view_as(hit_BNQ).transpose(1, 2).flatten()


def _first_true(flag_GK: Tensor, length: int) -> Tensor:
    """Return flat indices of the first `length` true entries of each row, padded with false ones: (G * length,)."""
    rows, entries = flag_GK.shape
    order_GK = flag_GK.int().argsort(dim=-1, descending=True, stable=True)[:, :length]
    return (order_GK + torch.arange(rows, device=flag_GK.device)[:, None] * entries).flatten()
