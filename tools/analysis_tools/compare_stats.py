"""Means, spreads and paired differences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .compare_runs import Row

CONFIDENCE = 0.95


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; NaN where there are too few values."""
    mean = statistics.fmean(values) if values else math.nan
    return mean, statistics.stdev(values) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class Difference:
    """Mean of differences with the half width of its confidence interval (NaN for fewer than two pairs)."""

    mean: float
    half: float
    pairs: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.mean - self.half, self.mean + self.half


def paired_difference(row: Row, base: Row, column: str) -> Difference:
    """Row minus base over the seeds that both have: ``mean(d) +- t(0.975, n - 1) * sd(d) / sqrt(n)``.

    The runs of one seed share the order of the data and the augmentation, and what they share cancels in d. The
    interval is Student's, for differences that are normally distributed.
    """
    own, other = row.by_seed(column), base.by_seed(column)
    mean, spread = mean_and_spread([own[seed] - other[seed] for seed in own if seed in other])
    pairs = len(own.keys() & other.keys())
    return Difference(mean, half_width(spread, pairs), pairs)


def half_width(spread: float, count: int) -> float:
    """Half width of the confidence interval of a mean of `count` values with this sample standard deviation."""
    if count < 2:
        return math.nan
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * spread / math.sqrt(count)
