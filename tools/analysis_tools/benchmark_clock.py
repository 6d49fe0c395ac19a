"""How benchmark.py measures: sides that take turns, medians with spreads, memory that a run adds, progress."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The profiler tells of its own start and end otherwise, and of memory that is older than it.
os.environ.setdefault('KINETO_LOG_LEVEL', '99')
os.environ.setdefault('TORCH_CPP_LOG_LEVEL', 'ERROR')

import torch
from tqdm import tqdm

Run = Callable[[], object]



@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated measurements.

    Args:
        median: Median.
        low: Lower quartile.
        high: Upper quartile.
        repeats: Number of measurements.
    """

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summary of measurements; of a single one, that one.

        Raises:
            ValueError: If there is none.
        """
        if not values:
            raise ValueError('there is no spread of no measurements')
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method='inclusive')
        return cls(median, low, high, len(values))


def ratio(times: Mapping[str, Sequence[float]], above: Sequence[str], below: Sequence[str]) -> Spread:
    """Spread of the repeats' ratios: the sum of some sides' seconds over that of others, round by round.

    Rounds are compared each with itself, so that a machine that slows down between them changes no ratio.

    Raises:
        ValueError: If the sides were not measured equally often.
    """
    counts = {len(times[side]) for side in (*above, *below)}
    if len(counts) != 1:
        raise ValueError(f'sides of a ratio need equally many repeats, got {sorted(counts)}')

    def total(sides: Sequence[str], repeat: int) -> float:
        return sum(times[side][repeat] for side in sides)

    return Spread.of([total(above, repeat) / total(below, repeat) for repeat in range(counts.pop())])


class Clock:
    """Seconds of a run: processor time of this process on a CPU, CUDA events on a GPU.

    Processor time does not count the time that other programs take on a busy machine. With more than one thread it is
    the sum over threads.
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
        """Seconds of each side in each round; every other round goes through the sides backwards.

        Args:
            sides: What is compared, by name.
            repeats: Rounds that count.
            tick: Called after each round, those that warm up included.
            warm_ups: Rounds before, which do not count.
        """
        times: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(warm_ups + repeats):
            for name in list(sides) if number % 2 else reversed(sides):
                spent = self.seconds(sides[name])
                if number >= warm_ups:
                    times[name].append(spent)
            tick()
        return times


def peak_bytes(run: Run, device: str) -> int:
    """Most bytes of tensors that a run holds at a time, beside those that were there before."""
    if device != 'cpu':
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return int(torch.cuda.max_memory_allocated() - before)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / 'trace.json'
        profile.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())['traceEvents']
    changes = sorted((event['ts'], event['args']['Bytes']) for event in events if event.get('name') == '[memory]')
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak


class Progress:
    """One bar over all parts of a benchmark, with the time that is left.

    Args:
        parts: Seconds that each part is expected to take; only their proportion matters.
    """

    def __init__(self, parts: Mapping[str, float]) -> None:
        self.parts = dict(parts)
        # In a log file a line every ten seconds is enough.
        pace = 0.1 if sys.stderr.isatty() else 10.0
        form = '{desc:11} {percentage:3.0f} % |{bar}| {elapsed} passed, about {remaining} left'
        self.bar = tqdm(total=sum(self.parts.values()), bar_format=form, mininterval=pace)
        self.part, self.end = '', 0.0

    def begin(self, part: str) -> None:
        """The next part begins; the one before is through."""
        self.bar.update(self.end - self.bar.n)
        self.part, self.end = part, self.bar.n + self.parts[part]
        self.bar.set_description_str(part)

    def step(self, share: float) -> None:
        """A share of the current part is done."""
        self.bar.update(min(share * self.parts[self.part], self.end - self.bar.n))

    def close(self) -> None:
        """All is done."""
        self.bar.update(self.end - self.bar.n)
        self.bar.close()
