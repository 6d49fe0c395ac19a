"""Measure whether training waits for its data."""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import partial
from typing import Any

import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

from .clock import Spread
from .models import Batch, Settings, build, prepared, trainer

WORKERS = 2
AHEAD = 3
"""Batches before those that count: workers start, and fill what they prepare in advance."""
TARGET = 0.05


def measure_loader(settings: Settings) -> dict[str, Any]:
    """Train with two workers and measure how long steps wait, and how busy the workers are.

    On a shared machine the wait by the clock is as noisy as the machine. The second figure is not: the processor time
    that a worker spends on its share of a batch over that of a step. Below 1, workers that have a processor to
    themselves keep up.
    """
    cfg = prepared(settings, settings.config)
    # Workers that stay would outlive the measurement.
    cfg.train_dataloader.update(num_workers=WORKERS, persistent_workers=False)
    steps, samples = (2, 2) if settings.quick else (max(8, 2 * settings.repeats), 12)
    if settings.quick:
        cfg.train_dataloader.batch_size = 1
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    train = trainer(cfg, build(cfg.model, settings.device))
    waits, walls, seconds = [], [], []
    batches = endless(loader)
    for number in range(AHEAD + steps):
        start = time.perf_counter()
        batch = next(batches)
        wait = time.perf_counter() - start
        spent = settings.clock.seconds(partial(train, batch))
        if number >= AHEAD:
            waits.append(wait)
            walls.append(time.perf_counter() - start - wait)
            seconds.append(spent)
        settings.step(1 / (AHEAD + steps + 1))
    batches.close()
    cost = Spread.of(sample_seconds(loader.dataset, samples))
    batch_size, share = cfg.train_dataloader.batch_size, sum(waits) / sum(walls)
    by_step = Spread.of([wait / wall for wait, wall in zip(waits, walls, strict=True)])
    what = f'wait for the loader / step, by the clock, {WORKERS} workers (of all steps; quartiles of single steps)'
    return dict(
        ratios=dict(
            loader_wait=dict(what=what, **vars(by_step) | dict(median=share), target=TARGET, met=share < TARGET)
        ),
        loader=dict(
            workers=WORKERS,
            batch_size=batch_size,
            seconds_per_sample=vars(cost),
            wait_seconds=vars(Spread.of(waits)),
            step_seconds=vars(Spread.of(walls)),
            worker_load=cost.median * batch_size / WORKERS / Spread.of(seconds).median,
        ),
    )


def endless(loader: Any) -> Generator[Batch]:
    """Iterate over batches without end; a small data set begins again."""
    while True:
        yield from loader


def sample_seconds(dataset: Any, number: int) -> list[float]:
    """Measure the processor seconds that each of some samples costs, from files to a collated sample."""
    np.random.seed(0)
    seconds = []
    for index in range(number + 1):
        start = time.process_time()
        pseudo_collate([dataset[index % len(dataset)]])
        seconds.append(time.process_time() - start)
    return seconds[1:]
