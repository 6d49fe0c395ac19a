"""Time sides that take turns, summarise repeats, and measure memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Otherwise the profiler logs its start and its end, and memory that is older than it.
os.environ.setdefault('KINETO_LOG_LEVEL', '99')
os.environ.setdefault('TORCH_CPP_LOG_LEVEL', 'ERROR')

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

Run = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated measurements."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise measurements.

        Raises:
            ValueError: If there is none.
        """
        if not values:
            raise ValueError('need at least one measurement')
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
        return cls(median, low, high, len(values))


def ratio(times: Mapping[str, Sequence[float]], above: Sequence[str], below: Sequence[str]) -> Spread:
    """Divide the summed seconds of some sides by those of others, round by round.

    A machine that slows down between rounds changes no ratio.

    Raises:
        ValueError: If the sides were not measured equally often.
    """
    counts = {len(times[side]) for side in (*above, *below)}
    if len(counts) != 1:
        raise ValueError(f'sides of a ratio need equally many repeats, got {sorted(counts)}')
    over, under = (np.sum([times[side] for side in sides], axis=0) for sides in (above, below))
    return Spread.of((over / under).tolist())


class Clock:
    """Measure seconds: processor time of this process on a CPU, CUDA events on a GPU.

    Processor time does not count what other programs take on a busy machine. With several threads it is their sum.
    """

    def __init__(self, device: str) -> None:
        self.device = device

    def seconds(self, run: Run) -> float:
        """Run once."""
        if self.device == 'cpu':
            start = time.process_time()
            run()
            return time.process_time() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) / 1e3

    def alternate(self, sides: Mapping[str, Run], repeats: int, tick: Run, warm_ups: int = 1) -> dict[str, list[float]]:
        """Time the sides in rounds, every other round backwards.

        Args:
            sides: What is compared, by name.
            repeats: Rounds that count.
            tick: Called after each round, those that warm up included.
            warm_ups: Rounds before, which do not count.

        Returns:
            Seconds of each side in each round.
        """
        times: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(warm_ups + repeats):
            for name in list(sides) if number % 2 else reversed(list(sides)):
                spent = self.seconds(sides[name])
                if number >= warm_ups:
                    times[name].append(spent)
            tick()
        return times


def peak_bytes(run: Run, device: str) -> int:
    """Measure the most bytes of tensors that a run holds at a time, beside those that were there before."""
    if device != 'cpu':
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return int(torch.cuda.max_memory_allocated() - before)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == '[memory]']
    held = np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())])
    return int(held.max(initial=0))
