"""Maps as tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bevdistill.layers import FeatureLevels


def test_levels():
    levels = FeatureLevels.of([(3, 5), (2, 1), (1, 4)])
    assert levels.shapes.tolist() == [[3, 5], [2, 1], [1, 4]]
    assert levels.starts.tolist() == [0, 15, 17]
    assert levels.num_tokens == 21
    assert torch.equal(levels.extents(torch.zeros(1)), torch.tensor([[5.0, 3], [1, 2], [4, 1]]))


def test_starts_say_where_each_levels_tokens_lie():
    """Cutting the tokens at the starts gives back the maps."""
    sizes = [(3, 5), (1, 1), (2, 7)]
    maps = [torch.randn(2, 4, *size) for size in sizes]
    tokens = torch.cat([level.flatten(2).transpose(1, 2) for level in maps], dim=1)
    levels = FeatureLevels.of(sizes)
    assert tokens.shape[1] == levels.num_tokens
    for index, (height, width) in enumerate(levels.sizes):
        start = int(levels.starts[index])
        own = tokens[:, start : start + height * width].transpose(1, 2).view(2, 4, height, width)
        assert torch.equal(own, maps[index])


def test_types_that_kernels_read():
    levels = FeatureLevels.of([(torch.tensor(3), 5)])
    assert levels.sizes == ((3, 5),) and isinstance(levels.sizes[0][0], int)
    assert levels.shapes.dtype == levels.starts.dtype == torch.int64
    assert levels.extents(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_no_level():
    levels = FeatureLevels.of([])
    assert levels.num_tokens == 0 and levels.starts.tolist() == []


@pytest.mark.parametrize('batch', [1, 2])
def test_locations_are_references_and_offsets_in_cells(batch: int) -> None:
    levels, sizes = FeatureLevels.of([(3, 5), (2, 1)]), [(5, 3), (1, 2)]
    references, offsets = torch.rand(batch, 4, 2, 2), torch.randn(2, 4, 3, 2, 5, 2)
    got = levels.locations(references, offsets)
    assert got.shape == offsets.shape
    for b, q, m, level, p, axis in np.ndindex(*offsets.shape):
        share = offsets[b, q, m, level, p, axis] / sizes[level][axis]
        assert got[b, q, m, level, p, axis] == references[b % batch, q, level, axis] + share
    # The entries of a temporal attention, of one map.
    assert torch.equal(
        FeatureLevels.of([(3, 5)]).locations(references, offsets),
        references[:, :, None, :, None] + offsets / torch.tensor([5.0, 3]),
    )
