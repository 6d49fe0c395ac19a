"""Sample BEV maps at a lattice of places over each ground-truth box.

Legend: B samples, N boxes of all samples, P = size x size places of a box, C channels, H x W cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..structures import BEVGrid, Targets
from .foreground import sample_map


def box_lattice(boxes_N9: Tensor, size: int) -> Tensor:
    """Compute the places of an even lattice that turns and stretches with each box, its border included.

    With centre c, sides l and w, heading yaw and lattice coordinates u, v in ``-1 .. 1``::

        place = c + R(yaw) (u * l / 2, v * w / 2)

    ``size=3`` gives the four corners, the four middles of the edges and the centre.

    Args:
        boxes_N9: Boxes in metres and radians, see :mod:`bevdistill.structures.box_code`.
        size: Places along each side, at least 2.

    Returns:
        (N, P, 2), x and y in metres; u runs fastest, from the back of the box to its front, v from right to left.

    Raises:
        ValueError: If `size` is less than 2.
    """
    if size < 2:
        raise ValueError(f'a lattice that reaches from border to border has a size of at least 2, got {size}')
    unit = torch.linspace(-1, 1, size, device=boxes_N9.device, dtype=boxes_N9.dtype)
    half_N2 = boxes_N9[:, 3:5] / 2
    along_NP = unit.repeat(size) * half_N2[:, :1]
    across_NP = unit.repeat_interleave(size) * half_N2[:, 1:]
    cos_N1, sin_N1 = boxes_N9[:, 6:7].cos(), boxes_N9[:, 6:7].sin()
    offset_NP2 = torch.stack((along_NP * cos_N1 - across_NP * sin_N1, along_NP * sin_N1 + across_NP * cos_N1), dim=-1)
    return boxes_N9[:, None, :2] + offset_NP2


def sample_boxes(map_BCHW: Tensor, grid: BEVGrid, targets: Targets, size: int) -> Tensor:
    """Sample a map bilinearly at the lattices of all boxes; places outside the map read 0.

    Args:
        map_BCHW: Map over the range of `grid`.
        grid: Range of the map; its size does not matter.
        targets: Boxes of each sample; there may be none.
        size: See :func:`box_lattice`.

    Returns:
        (N, P, C), boxes in the order of the samples. Part of the map's graph also when N is 0.
    """
    return sample_places(map_BCHW, grid, [box_lattice(boxes.to(map_BCHW), size) for boxes in targets.boxes])


def sample_places(map_BCHW: Tensor, grid: BEVGrid, places: Sequence[Tensor]) -> Tensor:
    """Sample a map bilinearly at places of each box; places outside the map read 0.

    Args:
        map_BCHW: Map over the range of `grid`.
        grid: Range of the map; its size does not matter.
        places: For each sample the places of its boxes in metres, (boxes, P, 2).

    Returns:
        (N, P, C), boxes in the order of the samples. Part of the map's graph also when N is 0.
    """
    counts = [len(places_NP2) for places_NP2 in places]
    padded_BMP2 = map_BCHW.new_zeros(len(counts), max(1, *counts), *places[0].shape[1:])
    for sample, places_NP2 in enumerate(places):
        padded_BMP2[sample, : counts[sample]] = places_NP2
    values_BMPC = sample_map(map_BCHW, grid, padded_BMP2.flatten(1, 2)).unflatten(1, padded_BMP2.shape[1:3])
    return torch.cat([values_BMPC[sample, :count] for sample, count in enumerate(counts)])
