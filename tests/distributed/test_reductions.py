"""One rank; tests/distributed has two."""

from __future__ import annotations

import torch

from bevdistill.distributed.reductions import gather_rows, mean_over_samples, shared_normaliser, sum_over_ranks


def test_alone_nothing_changes() -> None:
    rows = torch.randn(4, 3, requires_grad=True)
    assert sum_over_ranks(rows) is rows
    assert gather_rows(rows) == (rows, 0)
    torch.testing.assert_close(mean_over_samples(rows), rows.mean(dim=0))
    torch.testing.assert_close(mean_over_samples(rows, dim=1), rows.mean(dim=1))


def test_normaliser_has_a_floor_and_no_gradient() -> None:
    count = torch.tensor([0, 3])
    assert shared_normaliser(count, floor=1).tolist() == [1.0, 3.0]
    assert not shared_normaliser(torch.ones(2, requires_grad=True), floor=1).requires_grad
