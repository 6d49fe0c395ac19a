"""Sizes of feature maps whose tokens form one sequence, and places in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..structures.constants import constant, constant_like


@dataclass(frozen=True)
class FeatureLevels:
    """Sizes of maps whose tokens are concatenated level after level, row by row.

    Args:
        sizes: (height, width) of each level.
        shapes: The same as an int64 tensor (L, 2), as the kernels read it.
        starts: Index of each level's first token, (L,).
    """

    sizes: tuple[tuple[int, int], ...]
    shapes: Tensor
    starts: Tensor

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], device: torch.device | str | None = None) -> FeatureLevels:
        """Describe levels of the given sizes."""
        sizes = tuple((int(height), int(width)) for height, width in sizes)
        counts = [height * width for height, width in sizes]
        starts = [sum(counts[:level]) for level in range(len(counts))]
        device = torch.device('cpu' if device is None else device)
        return cls(sizes, constant(sizes, torch.long, device), constant(tuple(starts), torch.long, device))

    def extents(self, like: Tensor) -> Tensor:
        """Return (width, height) of each level, (L, 2), in the type of a tensor: the divisor of offsets in cells."""
        return constant_like(tuple((width, height) for height, width in self.sizes), like)

    def shares(self, offsets: Tensor) -> Tensor:
        """Turn offsets in cells into shares of a level's width and height, (..., L, P, 2)."""
        # Repeated for each point: torch is slow where rows of two numbers are broadcast.
        return offsets / self.extents(offsets)[:, None].repeat(1, offsets.shape[-2], 1)

    def locations(self, references_BQL2: Tensor, offsets: Tensor) -> Tensor:
        """Compute sampling locations around references.

        Args:
            references_BQL2: (x, y) in [0, 1] of a level's map; B may be 1.
            offsets: In cells, (B, Q, M heads, L, P points, 2).

        Returns:
            (B, Q, M, L, P, 2), in [0, 1] of a level's map.
        """
        points = offsets.shape[-2]
        return references_BQL2[:, :, None, :, None].repeat(1, 1, 1, 1, points, 1) + self.shares(offsets)

    @property
    def num_tokens(self) -> int:
        """Tokens of all levels together, S."""
        return sum(height * width for height, width in self.sizes)
