"""Maps as tokens."""

from __future__ import annotations

import torch

from bevdistill.layers import FeatureLevels


def test_levels():
    levels = FeatureLevels.of([(3, 5), (2, 1), (1, 4)])
    assert levels.shapes.tolist() == [[3, 5], [2, 1], [1, 4]]
    assert levels.starts.tolist() == [0, 15, 17]
    assert levels.num_tokens == 21
    assert torch.equal(levels.extents(torch.zeros(1)), torch.tensor([[5.0, 3], [1, 2], [4, 1]]))
