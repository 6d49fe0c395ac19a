"""Seeds of places in a run."""

from __future__ import annotations

import random

import numpy as np
import torch

from bevdistill.datasets.seeding import derive_seed, seed_everything, seeded


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def test_places_differ_and_repeat() -> None:
    seeds = {derive_seed(seed, rank, step) for seed in range(3) for rank in range(4) for step in range(50)}
    assert len(seeds) == 3 * 4 * 50
    assert derive_seed(1, 2, 3) == derive_seed(1, 2, 3)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_seed_everything() -> None:
    seed_everything(4)
    first = draw()
    seed_everything(4)
    assert draw() == first


def test_block_does_not_touch_the_outer_numbers() -> None:
    seed_everything(4)
    expected = [draw(), draw()]
    seed_everything(4)
    got = [draw()]
    with seeded(9):
        inner = draw()
    got.append(draw())
    assert got == expected
    seed_everything(9)
    assert draw() == inner
