"""What ranks draw; that they share the draws of one rank is tested with the sampler."""

from __future__ import annotations

import pytest
import torch
from mmengine.dataset import sampler

from bevdistill.datasets.seeded_index import SeededSampler
from bevdistill.engine.hooks import repeatable_run_hook
from bevdistill.engine.hooks.repeatable_run_hook import RepeatableRunHook


class Run:
    """As much of a runner as the hook asks for."""

    seed, iter = 5, 3


def draws(monkeypatch: pytest.MonkeyPatch, rank: int) -> list[tuple[int, int]]:
    monkeypatch.setattr(sampler, 'get_dist_info', lambda: (rank, 2))
    return [(int(draw), draw.seed) for draw in SeededSampler(range(7), seed=4)]


def test_ranks_get_equally_many_of_a_rest(monkeypatch) -> None:
    parts = [draws(monkeypatch, rank) for rank in range(2)]
    assert [len(part) for part in parts] == [4, 4]
    assert {index for part in parts for index, _ in part} == set(range(7))


def test_ranks_draw_numbers_of_their_own(monkeypatch) -> None:
    numbers = []
    for rank in (0, 1, 0):
        monkeypatch.setattr(repeatable_run_hook, 'get_rank', lambda rank=rank: rank)
        RepeatableRunHook().before_train_iter(Run(), 0)
        numbers.append(float(torch.rand(())))
    assert numbers[0] == numbers[2] != numbers[1]
