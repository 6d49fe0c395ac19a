"""Make inputs of the encoder at the sizes of published models, with a surround rig like that of nuScenes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bevdistill.layers import FeatureLevels
from bevdistill.structures import BEVGrid, Targets
from bevdistill.students.bevformer import BEVFormerEncoder, FrameGeometry

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
TINY = dict(rows=50, cols=50, num_layers=3, levels=((15, 25),), image_size=(480, 800))
"""BEVFormer-tiny."""

RIG = (
    (0.0, 1266.0, (0.0, 0.7)),
    (-56.0, 1261.0, (0.5, 0.6)),
    (56.0, 1273.0, (-0.5, 0.6)),
    (180.0, 809.0, (0.0, -1.0)),
    (110.0, 1257.0, (-0.5, 0.3)),
    (-110.0, 1259.0, (0.5, 0.3)),
)
"""Heading (degrees, counter-clockwise from the vehicle's front), focal length (pixels of 1600 x 900), position (x, y)
in metres of each camera in the LiDAR frame."""


class Workload(NamedTuple):
    """An encoder and what it is called with."""

    encoder: BEVFormerEncoder
    arguments: tuple[Any, ...]

    @property
    def leaves(self) -> list[Tensor]:
        """Everything of the arguments that has a gradient."""
        return [argument for argument in self.arguments if isinstance(argument, Tensor) and argument.requires_grad]


def surround_matrices(image_size: tuple[int, int], num_cams: int = 6, turn: float = 0.0) -> NDArray[np.float64]:
    """LiDAR (metres) to pixels of a padded image whose width is that of the scaled 1600 x 900 picture, (N, 4, 4)."""
    scale = image_size[1] / 1600
    matrices = []
    for camera in range(num_cams):
        heading, focal, place = RIG[camera % len(RIG)]
        angle = math.radians(heading + turn + 360 / num_cams * (camera // len(RIG)))
        forward, right = [-math.sin(angle), math.cos(angle), 0.0], [math.cos(angle), math.sin(angle), 0.0]
        rotation = np.array([right, [0.0, 0.0, -1.0], forward])
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = -rotation @ np.array([*place, -0.3])
        intrinsic = np.eye(4)
        intrinsic[0, 0] = intrinsic[1, 1] = focal * scale
        intrinsic[:2, 2] = 800 * scale, 450 * scale
        matrices.append(intrinsic @ pose)
    return np.stack(matrices)


def encoder_workload(
    batch: int = 1,
    rows: int = 50,
    cols: int = 50,
    num_layers: int = 3,
    levels: tuple[tuple[int, int], ...] = ((15, 25),),
    image_size: tuple[int, int] = (480, 800),
    num_cams: int = 6,
    embed_dims: int = 256,
    history: bool = False,
    dropout: float = 0.1,
    dtype: torch.dtype = torch.float32,
    **options: Any,
) -> Workload:
    """Make an encoder in training mode with random weights near its first ones, and random inputs with gradients.

    Everything is on torch's default device (``with torch.device(...)``).
    """
    torch.manual_seed(0)
    grid = BEVGrid(RANGE, rows, cols)
    encoder = BEVFormerEncoder(
        grid, embed_dims, num_layers, num_levels=len(levels), dropout=dropout, **options
    ).to(dtype)
    for name, parameter in encoder.named_parameters():
        # The first weights ask every query for the same samples.
        if name.endswith(('sampling_offsets.weight', 'attention_weights.weight')):
            torch.nn.init.normal_(parameter, std=0.02)
    matrices = np.stack([surround_matrices(image_size, num_cams, turn=3.0 * sample) for sample in range(batch)])
    frames = FrameGeometry(torch.tensor(matrices, dtype=dtype), torch.zeros(batch, 18), image_size)
    tokens = sum(height * width for height, width in levels)

    def rows_of(*shape: int) -> Tensor:
        return torch.randn(*shape, embed_dims, dtype=dtype).requires_grad_()

    arguments = (
        rows_of(batch, grid.num_cells),
        rows_of(1, grid.num_cells),
        rows_of(batch, num_cams, tokens),
        FeatureLevels.of(levels, torch.get_default_device()),
        frames,
        torch.randn(batch, 2, dtype=dtype) * 0.02,
        torch.randn(batch, grid.num_cells, embed_dims, dtype=dtype) if history else None,
    )
    return Workload(encoder.train(), arguments)


def random_targets(counts: tuple[int, ...], grid: BEVGrid, spread: float = 1.0) -> Targets:
    """Draw boxes of 0.3 m to 8.3 m, spread over a part or a multiple of the grid's range, of ten classes."""
    low, extent = torch.tensor(grid.point_cloud_range[:2]), torch.tensor(grid.extent[:2])
    boxes, labels = [], []
    for count in counts:
        box = torch.zeros(count, 9)
        box[:, :2] = low + extent * ((torch.rand(count, 2) - 0.5) * spread + 0.5)
        box[:, 3:6] = torch.rand(count, 3) * 8 + 0.3
        box[:, 6] = torch.rand(count) * 2 * math.pi - math.pi
        boxes.append(box)
        labels.append(torch.randint(0, 10, (count,)))
    return Targets(tuple(boxes), tuple(labels))
