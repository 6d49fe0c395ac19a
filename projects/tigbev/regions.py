"""Where TiG-BEV reads a BEV map: an even lattice over each enlarged box."""

from __future__ import annotations

from torch import Tensor

from bevdistill.losses import box_lattice
from bevdistill.structures import BEVGrid
from bevdistill.structures.constants import constant_like


def region_places(
    boxes_N9: Tensor, grid: BEVGrid, size: int, margin: float = 1.6, scale: float = 1.0, released: bool = False
) -> Tensor:
    """Places of a lattice over boxes whose sides are ``scale * side + 2 * margin``.

    Args:
        boxes_N9: Boxes in metres and radians, LiDAR frame.
        grid: Grid of the map that is read.
        size: Places along each side.
        margin: Metres that are added on each side of a box.
        scale: Factor of its sides, before the margin.
        released: Read where the release reads. It divides by n - 1 cells of n, which carries a place at distance d from
            the lower border of the map to ``d n / (n - 1)``, by up to one cell; and it moves places outside of the map
            onto its border, where they read half of the border's value. By default places are where they are, and
            those outside read 0.

    Returns:
        (N, size * size, 2), x and y in metres.
    """
    enlarged_N9 = boxes_N9.clone()
    enlarged_N9[:, 3:5] = boxes_N9[:, 3:5] * scale + 2 * margin
    places_NP2 = box_lattice(enlarged_N9, size)
    if not released:
        return places_NP2
    cells = constant_like((float(grid.cols), float(grid.rows)), places_NP2)
    return grid.denormalise((grid.normalise(places_NP2) * cells / (cells - 1)).clamp(0, 1))
