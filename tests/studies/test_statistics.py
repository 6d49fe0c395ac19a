"""Means, spreads and paired differences over seeds: by hand, and against scipy."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy.stats import ttest_rel

from bevdistill.studies.results import Results, frame
from bevdistill.studies.statistics import half_width, mean_and_spread, paired_difference

# t(0.975) of 1 and 2 degrees of freedom, from a printed table.
T1, T2 = 12.7062, 4.30265
ROW, BASE = {0: 0.13, 1: 0.14, 2: 0.15}, {2: 0.11, 0: 0.10, 1: 0.12}
"""NDS by seed; the base is not in order."""


def results(row: dict[int | None, float], base: dict[int | None, float]) -> Results:
    runs = [
        dict(row=name, seed=seed, seconds=math.nan, NDS=value)
        for name, values in (('base', base), ('row', row)) for seed, value in values.items()
    ]  # fmt: skip
    return Results(frame(runs), dict(base='base', row='row'), dict(row='base'))


def test_difference_and_interval_by_hand_and_by_scipy() -> None:
    """Differences 0.03, 0.02, 0.04: mean 0.03, sample standard deviation 0.01."""
    found = paired_difference(results(ROW, BASE), 'row', 'base', 'NDS')
    assert found.pairs == 3
    assert found.mean == pytest.approx(0.03)
    assert found.half == pytest.approx(T2 * 0.01 / math.sqrt(3), rel=1e-5)
    interval = ttest_rel([0.13, 0.14, 0.15], [0.10, 0.12, 0.11]).confidence_interval(0.95)
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert found.each.to_dict() == pytest.approx({0: 0.03, 1: 0.02, 2: 0.04})
    swapped = paired_difference(results(ROW, BASE), 'base', 'row', 'NDS')
    assert (swapped.mean, swapped.half) == pytest.approx((-found.mean, found.half))


def test_only_seeds_of_both_count() -> None:
    """Left: 0.03 of seed 0 and 0.04 of seed 2; standard deviation 0.01 / sqrt(2)."""
    found = paired_difference(results(ROW | {7: 9.0}, {2: 0.11, 0: 0.10, 5: 0.9}), 'row', 'base', 'NDS')
    assert (found.pairs, found.mean) == (2, pytest.approx(0.035))
    assert found.half == pytest.approx(T1 * 0.01 / 2, rel=1e-5)


@pytest.mark.parametrize(('row', 'base', 'column', 'pairs'), [
    ({0: 0.5}, BASE, 'NDS', 1), ({5: 0.5}, BASE, 'NDS', 0), ({0: math.nan, 1: 0.5}, BASE, 'NDS', 1),
    ({None: 0.1}, {None: 0.1}, 'NDS', 0), (ROW, BASE, 'mAP', 0), ({}, BASE, 'NDS', 0),
])  # fmt: skip
def test_fewer_than_two_pairs_have_no_interval(
    row: dict[int | None, float], base: dict[int | None, float], column: str, pairs: int
) -> None:
    """Also runs without a seed, which are no pairs, and numbers that are not there."""
    found = paired_difference(results(row, base), 'row', 'base', column)
    assert found.pairs == pairs and math.isnan(found.half) and all(map(math.isnan, found.interval))
    assert math.isnan(found.mean) == (pairs == 0)


def test_means_that_are_rounded_once() -> None:
    """Adding these from left to right loses the one."""
    assert mean_and_spread(pd.Series([1e16, 1.0, -1e16]))[0] == pytest.approx(1 / 3)
    assert mean_and_spread(pd.Series([0.25] * 3)) == (0.25, 0.0)


@pytest.mark.parametrize(('values', 'mean', 'spread', 'half'), [
    ([], math.nan, math.nan, math.nan), ([0.25], 0.25, math.nan, math.nan), ([1.0, 3.0], 2, math.sqrt(2), T1),
    ([4.0, 1.0, 1.0], 2, math.sqrt(3), T2),
])  # fmt: skip
def test_spread_and_half_width_by_hand(values: list[float], mean: float, spread: float, half: float) -> None:
    numbers = pd.Series(values, dtype=float)
    assert mean_and_spread(numbers) == pytest.approx((mean, spread), nan_ok=True)
    assert half_width(numbers) == pytest.approx(half, rel=1e-5, nan_ok=True)
