"""Define the ground-plane grid, the one owner of metres, cells and normalised coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .constants import constant_like


@dataclass(frozen=True)
class BEVGrid:
    """Cells of a bird's-eye-view map in the LiDAR frame.

    A row follows LiDAR y (row 0 lies at ``y_min``), a column follows LiDAR x (column 0 lies at ``x_min``), and
    the flat index of a cell is ``row * cols + col``. In nuScenes' LIDAR_TOP frame x points right, y forward and
    z up. Masks, references, samplers and plots take this from here.

    Three kinds of coordinates are used, always in the order (x, y):

    * metres, in the LiDAR frame;
    * cells, as continuous (col, row): cell (r, c) covers ``[c, c + 1) x [r, r + 1)``, its centre is at +0.5;
    * normalised, in ``[0, 1]`` across the range.

    Args:
        point_cloud_range: ``(x_min, y_min, z_min, x_max, y_max, z_max)`` in metres.
        rows: Number of cells along y.
        cols: Number of cells along x.

    Raises:
        ValueError: If the range is not six ordered numbers or a size is not positive.
    """

    point_cloud_range: tuple[float, float, float, float, float, float]
    rows: int
    cols: int

    def __post_init__(self) -> None:
        limits = tuple(float(v) for v in self.point_cloud_range)
        if len(limits) != 6:
            raise ValueError(
                'point_cloud_range must be (x_min, y_min, z_min, x_max, y_max, z_max), '
                f'got {len(limits)} numbers: {limits}'
            )
        if any(low >= high for low, high in zip(limits[:3], limits[3:], strict=True)):
            raise ValueError(f'point_cloud_range needs min < max on every axis, got {limits}')
        if self.rows < 1 or self.cols < 1:
            raise ValueError(f'a BEV grid needs positive sizes, got rows={self.rows}, cols={self.cols}')
        object.__setattr__(self, 'point_cloud_range', limits)

    @classmethod
    def from_config(cls, point_cloud_range: Sequence[float], rows: int, cols: int) -> BEVGrid:
        """Build a grid from config values, where sequences arrive as lists."""
        return cls(tuple(point_cloud_range), rows, cols)  # type: ignore[arg-type]

    @property
    def extent(self) -> tuple[float, float, float]:
        """Return the size of the range along x, y, z in metres."""
        x_min, y_min, z_min, x_max, y_max, z_max = self.point_cloud_range
        return x_max - x_min, y_max - y_min, z_max - z_min

    @property
    def cell_size(self) -> tuple[float, float]:
        """Return the size of a cell along x, y in metres."""
        return self.extent[0] / self.cols, self.extent[1] / self.rows

    @property
    def num_cells(self) -> int:
        """Return the number of cells, the length of a flattened map."""
        return self.rows * self.cols

    def _axes(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return (min, extent) for the two or three axes that `points` has."""
        axes = points.shape[-1]
        if axes not in (2, 3):
            raise ValueError(f'expected (x, y) or (x, y, z) in the last dimension, got shape {tuple(points.shape)}')
        return constant_like(self.point_cloud_range[:axes], points), constant_like(self.extent[:axes], points)

    def normalise(self, metres: Tensor) -> Tensor:
        """Convert metres to ``[0, 1]`` across the range; (..., 2) or (..., 3) keeps its shape."""
        low, extent = self._axes(metres)
        return (metres - low) / extent

    def denormalise(self, normalised: Tensor) -> Tensor:
        """Invert :meth:`normalise`."""
        low, extent = self._axes(normalised)
        return normalised * extent + low

    def to_cells(self, metres_xy: Tensor) -> Tensor:
        """Convert metres (..., 2) to continuous (col, row); ``floor`` of it is the cell that holds the point."""
        return self.normalise(metres_xy) * constant_like((self.cols, self.rows), metres_xy)

    def to_metres(self, cells_xy: Tensor) -> Tensor:
        """Invert :meth:`to_cells`."""
        return self.denormalise(cells_xy / constant_like((self.cols, self.rows), cells_xy))

    def contains(self, metres: Tensor) -> Tensor:
        """Tell whether points (..., 2) or (..., 3) lie inside the range, lower bound included: (...) bool."""
        unit = self.normalise(metres)
        return ((unit >= 0) & (unit < 1)).all(dim=-1)

    def cell_centres(
        self, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32, normalised: bool = False
    ) -> Tensor:
        """Compute the centres (x, y) of all cells.

        Args:
            device: Where the result lives.
            dtype: Its floating-point type.
            normalised: Return ``[0, 1]`` coordinates in place of metres.

        Returns:
            (rows, cols, 2).
        """
        row = (torch.arange(self.rows, device=device, dtype=dtype) + 0.5) / self.rows
        col = (torch.arange(self.cols, device=device, dtype=dtype) + 0.5) / self.cols
        unit = torch.stack((col[None, :].expand(self.rows, -1), row[:, None].expand(-1, self.cols)), dim=-1)
        return unit if normalised else self.denormalise(unit)

    def sampling_grid(self, metres_xy: Tensor) -> Tensor:
        """Convert metres (..., 2) to the ``[-1, 1]`` coordinates of ``grid_sample(align_corners=False)``."""
        return self.normalise(metres_xy) * 2 - 1

    def with_size(self, rows: int, cols: int) -> BEVGrid:
        """Return a grid of the same range at another resolution."""
        return BEVGrid(self.point_cloud_range, rows, cols)

    def same_range(self, other: BEVGrid, tolerance: float = 1e-4) -> bool:
        """Tell whether both grids cover the same ground (x and y; z may differ)."""
        ground = (0, 1, 3, 4)
        return all(abs(self.point_cloud_range[i] - other.point_cloud_range[i]) <= tolerance for i in ground)
