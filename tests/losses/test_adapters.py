from __future__ import annotations

import torch

from bevdistill.losses import ConvAdapter, LinearAdapter


def test_shapes() -> None:
    assert ConvAdapter(3, 5)(torch.randn(2, 3, 4, 6)).shape == (2, 5, 4, 6)
    assert LinearAdapter(3, 5)(torch.randn(2, 4, 3)).shape == (2, 4, 5)
