"""DistillBEV's spatial attention: where a map has large features."""

from __future__ import annotations

from torch import Tensor


def magnitude(map_BCHW: Tensor) -> Tensor:
    """Mean absolute value over channels, (B, H, W)."""
    return map_BCHW.abs().mean(dim=1)


def spatial_attention(map_BCHW: Tensor, temperature: float) -> Tensor:
    """Attention of mean 1 over the cells of a sample, (B, H, W): ``H W softmax_p(magnitude_p / temperature)``."""
    magnitude_BP = magnitude(map_BCHW).flatten(1)
    attention_BP = (magnitude_BP / temperature).softmax(dim=1) * magnitude_BP.shape[1]
    return attention_BP.view(map_BCHW.shape[0], *map_BCHW.shape[2:])
