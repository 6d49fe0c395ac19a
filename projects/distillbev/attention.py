"""DistillBEV's spatial attention: where a map has large features."""

from __future__ import annotations

from torch import Tensor


def spatial_attention(map_BCHW: Tensor, temperature: float) -> Tensor:
    """Attention of mean 1 over the cells p of a sample, (B, H, W): ``H W softmax_p(mean_c |map_cp| / temperature)``."""
    magnitude_BP = map_BCHW.abs().mean(dim=1).flatten(1)
    attention_BP = (magnitude_BP / temperature).softmax(dim=1) * magnitude_BP.shape[1]
    return attention_BP.view(map_BCHW.shape[0], *map_BCHW.shape[2:])
