"""GridMask: drop a grid of squares from images (arXiv 2001.04086, as BEVFormer uses it)."""

from __future__ import annotations

import torch
from torch import Tensor


class GridMask:
    """Draw one mask of kept bands for a batch of images.

    With period d drawn from {2 .. h - 1}, bands of ``l = clip(int(ratio * d + 0.5), 1, d - 1)`` rows and columns are
    kept on a canvas 1.5 times the image, each direction with its own random offset; the squares between the bands are
    dropped, and the image sees the middle of the canvas.

    Note:
        Rotation and the offset fill of the original, which none of its users turns on, are left out.

    Args:
        ratio: Share of a period that is kept.
        prob: Chance that a batch is masked at all.

    Raises:
        ValueError: If `ratio` or `prob` does not lie in [0, 1].
    """

    def __init__(self, ratio: float = 0.5, prob: float = 0.7) -> None:
        if not (0 <= ratio <= 1 and 0 <= prob <= 1):
            raise ValueError(f'ratio and prob of a grid mask lie in [0, 1], got ratio={ratio}, prob={prob}')
        self.ratio = ratio
        self.prob = prob

    def draw(self, height: int, width: int) -> Tensor | None:
        """Draw a mask (height, width) on the CPU, 1 where the image is kept; None if the batch is not masked."""
        if float(torch.rand(())) >= self.prob or height < 3:
            return None
        period = int(torch.randint(2, height, ()))
        rows = self._bands(height, period)
        cols = self._bands(width, period)
        return (rows[:, None] | cols[None, :]).float()

    def _bands(self, size: int, period: int) -> Tensor:
        """Draw which of `size` lines lie in a band, (size,) bool."""
        canvas = int(1.5 * size)
        length = min(max(int(self.ratio * period + 0.5), 1), period - 1)
        start = int(torch.randint(period, ()))
        line = torch.arange(size) + (canvas - size) // 2 - start
        return (line >= 0) & (line // period < canvas // period) & (line % period < length)
