"""The ground: a smooth relief on a grid, a painted surface, and how to stand on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .kernels import paint_ground

Array = npt.NDArray[np.float64]

_CELL = 2.0
_PAINT_CELL = 0.5
_WAVES = 5


@dataclass(frozen=True)
class Terrain:
    """Height and colour of the ground.

    Attributes:
        heights: (rows, cols) float32, height at ``origin + cell * (col, row)``; bilinear in between.
        origin: Global x, y of ``heights[0, 0]``.
        cell: Distance of grid points in metres.
        max_slope: Bound of the slope's tangent anywhere on the grid.
        paint: (rows, cols, 3) float32 RGB in [0, 1], constant in each cell; its first cell starts at ``origin``.
        paint_cell: Side of a painted cell in metres.
    """

    heights: npt.NDArray[np.float32]
    origin: Array
    cell: float
    max_slope: float
    paint: npt.NDArray[np.float32]
    paint_cell: float

    def height(self, xy: Array) -> Array:
        """Height of the ground at global points (..., 2), the same bilinear rule as the ray caster's."""
        rows, cols = self.heights.shape
        grid = (xy - self.origin) / self.cell
        col = np.clip(grid[..., 0], 0.0, cols - 1.001)
        row = np.clip(grid[..., 1], 0.0, rows - 1.001)
        i, j = row.astype(int), col.astype(int)
        a, b = row - i, col - j
        h = self.heights.astype(float)
        low = h[i, j] * (1 - b) + h[i, j + 1] * b
        high = h[i + 1, j] * (1 - b) + h[i + 1, j + 1] * b
        return low * (1 - a) + high * a

    def stand(self, xy: Array, yaw: Array, length: Array, width: Array) -> tuple[Array, Array]:
        """Put footprints on the ground.

        Args:
            xy: (N, 2) global centres of the footprints.
            yaw: (N,) headings in radians.
            length: (N,) extent along the heading.
            width: (N,) extent across it.

        Returns:
            Height (N,) of the footprint's centre and rotation (N, 3, 3) with columns forward, left, up. The plane
            goes through the heights below the four ends of the footprint's axes.
        """
        forward = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
        left = np.stack([-forward[:, 1], forward[:, 0]], axis=-1)
        ends = np.stack(
            [
                xy + forward * length[:, None] / 2,
                xy - forward * length[:, None] / 2,
                xy + left * width[:, None] / 2,
                xy - left * width[:, None] / 2,
            ]
        )
        h = self.height(ends)
        x_axis = np.concatenate([forward, ((h[0] - h[1]) / length)[:, None]], axis=1)
        y_axis = np.concatenate([left, ((h[2] - h[3]) / width)[:, None]], axis=1)
        x_axis /= np.linalg.norm(x_axis, axis=1, keepdims=True)
        z_axis = np.cross(x_axis, y_axis)
        z_axis /= np.linalg.norm(z_axis, axis=1, keepdims=True)
        y_axis = np.cross(z_axis, x_axis)
        return h.mean(axis=0), np.stack([x_axis, y_axis, z_axis], axis=-1)


def make_terrain(
    rng: np.random.Generator,
    path: Array,
    reach: float,
    slope: float,
    wavelengths: tuple[float, float],
    road: Array,
) -> Terrain:
    """Draw a relief and paint a road along a path.

    The height is a sum of plane waves ``a_i sin(k_i . x + phi_i)`` whose ``sum a_i |k_i|`` is the tangent of the
    largest slope.

    Args:
        rng: Source of randomness.
        path: (P, 2) global points that the grid has to cover.
        reach: Margin around the path in metres.
        slope: Largest slope in degrees.
        wavelengths: Shortest and longest wave in metres.
        road: (Q, 2) evenly spaced global points along which the road runs.
    """
    origin = np.floor(path.min(axis=0) - reach)
    cols, rows = (np.ceil((path.max(axis=0) + reach - origin) / _CELL).astype(int) + 1).tolist()
    y, x = np.mgrid[0:rows, 0:cols] * _CELL
    tangent = float(np.tan(np.radians(slope)))
    shares = rng.dirichlet(np.full(_WAVES, 2.0)) * tangent
    heights = np.zeros((rows, cols))
    for share in shares:
        wave_number = 2 * np.pi / rng.uniform(*wavelengths)
        direction, phase = rng.uniform(0, 2 * np.pi, 2)
        heights += share / wave_number * np.sin(wave_number * (x * np.cos(direction) + y * np.sin(direction)) + phase)
    paint_shape = (int(rows * _CELL / _PAINT_CELL), int(cols * _CELL / _PAINT_CELL))
    verge = np.array([(0.33, 0.42, 0.22), (0.46, 0.40, 0.30), (0.50, 0.50, 0.48)][rng.integers(3)])
    paint = np.empty((*paint_shape, 3), np.float32)
    paint_ground(
        paint,
        origin,
        _PAINT_CELL,
        np.ascontiguousarray(road),
        rng.uniform(5.5, 9.0),
        verge * rng.uniform(0.85, 1.15),
        rng.uniform(0.24, 0.38),
    )
    return Terrain(heights.astype(np.float32), origin, _CELL, tangent * 1.02 + 1e-3, paint, _PAINT_CELL)
