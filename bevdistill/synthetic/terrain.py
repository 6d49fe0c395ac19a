"""Model the ground: a smooth height map, a painted surface, and footprints on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .ground_kernel import paint_ground, stand_on

Array = npt.NDArray[np.float64]

_CELL = 2.0
_PAINT_CELL = 0.5
_WAVES = 5


@dataclass(frozen=True)
class Terrain:
    """Height and colour of the ground.

    Attributes:
        heights: (rows, cols) float32 at ``origin + cell * (col, row)``; bilinear in between.
        frame: (4,) origin x, origin y, cell in metres, bound of the slope's tangent.
        paint: (rows, cols, 3) float32 RGB in [0, 1], constant in each cell; its first cell starts at the origin.
        paint_cell: Side of a painted cell in metres.
    """

    heights: npt.NDArray[np.float32]
    frame: Array
    paint: npt.NDArray[np.float32]
    paint_cell: float

    def stand(self, xy: Array, yaw: Array, length: Array, width: Array) -> tuple[Array, Array]:
        """Put footprints on the ground.

        Args:
            xy: (N, 2) global centres of the footprints.
            yaw: (N,) headings in radians.
            length: (N,) extent along the heading.
            width: (N,) extent across it.

        Returns:
            Mean height (N,) below the four ends of the footprint's axes, and rotation (N, 3, 3) with columns
            forward, left, up of the plane through those ends.
        """
        height, rotation = np.empty(len(xy)), np.empty((len(xy), 3, 3))
        stand_on(self.heights, self.frame, xy, yaw, length, width, height, rotation)
        return height, rotation


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
    paint_frame = np.array([*origin, _PAINT_CELL])
    verge, asphalt = verge * rng.uniform(0.85, 1.15), rng.uniform(0.24, 0.38)
    paint_ground(paint, paint_frame, road, rng.uniform(5.5, 9.0), verge, asphalt)
    # Rounding to float32 and the step between grid points may exceed the bound by a hair.
    frame = np.array([*origin, _CELL, tangent * 1.02 + 1e-3])
    return Terrain(heights.astype(np.float32), frame, paint, _PAINT_CELL)
