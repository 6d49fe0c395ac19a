"""Part of benchmark.py that asks whether training waits for its data."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from benchmark_clock import Spread
from benchmark_models import Settings, build, prepared, trainer
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

WORKERS = 2
AHEAD = 3
"""Batches before those that count: the workers start, and fill what they prepare in advance."""


def measure_loader(settings: Settings) -> dict[str, Any]:
    """Train with two workers, and see how long each step waits and how busy a worker must be.

    Two figures, since on a shared machine the wait is as noisy as the machine: the wait by the clock, and the processor
    time that a worker spends on its share of a batch over that of a step. Workers keep up while the second is below 1,
    as long as they have a processor to themselves.
    """
    cfg = prepared(settings, settings.config)
    cfg.train_dataloader.num_workers = WORKERS
    # Workers that stay would outlive the measurement.
    cfg.train_dataloader.persistent_workers = False
    steps, samples = (2, 2) if settings.quick else (max(8, 2 * settings.repeats), 12)
    if settings.quick:
        cfg.train_dataloader.batch_size = 1
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    train = trainer(cfg, build(cfg.model, settings.device))
    rounds = AHEAD + steps + 1
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
        settings.step(1 / rounds)
    batches.close()
    cost = Spread.of(sample_seconds(loader.dataset, samples))
    batch_size = cfg.train_dataloader.batch_size
    share = sum(waits) / sum(walls)
    busy = cost.median * batch_size / WORKERS / Spread.of(seconds).median
    target = 0.05
    return dict(
        ratios=dict(
            loader_wait=dict(
                what=f'wait for the loader / step, by the clock, {WORKERS} workers (of all steps; quartiles of single '
                'steps)',
                **vars(Spread.of([wait / wall for wait, wall in zip(waits, walls, strict=True)]))
                | dict(median=share),
                target=target,
                met=share < target,
            )
        ),
        loader=dict(
            workers=WORKERS,
            batch_size=batch_size,
            seconds_per_sample=vars(cost),
            wait_seconds=vars(Spread.of(waits)),
            step_seconds=vars(Spread.of(walls)),
            worker_load=busy,
        ),
    )


def endless(loader: Any) -> Any:
    """Batches without end; a small data set begins again."""
    while True:
        yield from loader


def sample_seconds(dataset: Any, number: int) -> list[float]:
    """Processor seconds that each of some samples costs, from files to a collated sample."""
    np.random.seed(0)
    seconds = []
    for index in range(number + 1):
        start = time.process_time()
        pseudo_collate([dataset[index % len(dataset)]])
        seconds.append(time.process_time() - start)
    return seconds[1:]
