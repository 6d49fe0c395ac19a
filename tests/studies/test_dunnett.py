"""Dunnett's distribution against scipy and a printed table; Holm's steps by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import dunnett, t

from bevdistill.studies.dunnett import adjusted, critical, largest_below, over_families


def test_p_values_and_intervals_are_scipys() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0.0, 1.0, 5)
    rows = [rng.normal(mean, 1.0, count) for mean, count in ((0.5, 5), (1.5, 3), (2.0, 4))]
    df = sum(len(row) - 1 for row in (base, *rows))
    pooled = sum(((row - row.mean()) ** 2).sum() for row in (base, *rows)) / df
    errors = [math.sqrt(pooled * (1 / len(base) + 1 / len(row))) for row in rows]
    shares = [pooled / len(base) / error**2 for error in errors]
    found = dunnett(*rows, control=base, random_state=0)
    statistics = [(row.mean() - base.mean()) / error for row, error in zip(rows, errors, strict=True)]
    assert [adjusted(value, shares, df) for value in statistics] == pytest.approx(list(found.pvalue), abs=5e-4)
    limits = [value - critical(0.95, shares, df) for value in statistics]
    low = found.confidence_interval(0.95).low / np.asarray(errors)
    assert limits == pytest.approx(list(low), abs=2e-3)


@pytest.mark.parametrize(('rows', 'df', 'printed'), [(3, 10, 2.76), (2, 5, 3.03), (9, 20, 2.95), (5, 60, 2.58)])
def test_critical_values_of_a_printed_table(rows: int, df: int, printed: float) -> None:
    # Two-sided, 5 %, equal numbers: so that half of each variance is the base's.
    assert critical(0.95, [0.5] * rows, df) == pytest.approx(printed, abs=0.011)


def test_one_row_is_students_t() -> None:
    assert critical(0.95, [0.5], 4) == pytest.approx(t.ppf(0.975, 4))
    assert adjusted(-2.0, [0.5], 4) == pytest.approx(2 * t.sf(2.0, 4), abs=1e-5)
    assert largest_below(0.0, [0.3, 0.6], 4) == 0.0
    assert adjusted(60.0, [0.5, 0.5], 30) == pytest.approx(0.0, abs=1e-9)


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.03, 0.04: three, two and one times, none below the one before.
    assert [value for (value,) in over_families([[0.01], [0.04], [0.03]])] == pytest.approx([0.03, 0.06, 0.06])
    # The second family is taken first, since all of it is small: twice; then the first, once.
    (first, second) = over_families([[0.001, 0.2], [0.02, 0.01]])
    assert second == pytest.approx([0.04, 0.02])
    assert first == pytest.approx([0.04, 0.2])
    assert over_families([[0.4, 0.9]]) == [[0.4, 0.9]]
    assert over_families([[0.6], [0.7]]) == [[1.0], [1.0]]


def test_families_with_true_and_false_differences_keep_the_level() -> None:
    # In each family a certain difference, and one that is none: a step taken by the least p would fail in 7.4 %.
    rng = np.random.default_rng(1)
    wrong = sum(
        min(value for _, value in over_families([[0.0, p], [0.0, q]])) <= 0.05 for p, q in rng.random((4000, 2))
    )
    assert 0.035 < wrong / 4000 < 0.06
