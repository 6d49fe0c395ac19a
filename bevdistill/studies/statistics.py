"""Means, spreads and paired differences over seeds."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import pandas as pd

from .results import Results

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean of differences with the half width of its confidence interval (NaN for fewer than two pairs)."""

    each: pd.Series
    mean: float
    half: float

    @property
    def pairs(self) -> int:
        """Number of seeds that both have."""
        return len(self.each)

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.mean - self.half, self.mean + self.half


def paired_difference(results: Results, row: str, base: str, column: str) -> Difference:
    """Compute row minus base over the seeds that both have: ``mean(d) +- t(0.975, n - 1) * sd(d) / sqrt(n)``.

    The runs of one seed share the order of the data and the augmentation, and what they share cancels in d. The
    interval is Student's, for differences that are normally distributed.
    """
    each = (results.by_seed(row, column) - results.by_seed(base, column)).dropna()
    return Difference(each, mean_and_spread(each)[0], half_width(each))


def mean_and_spread(values: pd.Series) -> tuple[float, float]:
    """Return mean and sample standard deviation, rounded once; NaN where there are too few values."""
    mean = statistics.fmean(values) if len(values) else math.nan
    return mean, statistics.stdev(values) if len(values) > 1 else math.nan


def half_width(values: pd.Series) -> float:
    """Return the half width of the confidence interval of a mean; NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * mean_and_spread(values)[1] / math.sqrt(len(values))
