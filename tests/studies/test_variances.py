"""Mean squares and degrees of freedom with numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from bevdistill.studies.variances import MeanSquare, Variances, analyse, interaction


def frame_of(values: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    """Runs of one world by row and teacher."""
    lines = [
        dict(row=row, teacher=teacher, seed=seed, world=0, value=value)
        for (row, teacher), numbers in values.items() for seed, value in enumerate(numbers)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def test_variance_within_rows_is_pooled() -> None:
    # Squares 2 of 2 degrees and 0.5 of 1; a row with one seed adds none.
    found = analyse(frame_of({('a', 't'): [1.0, 2.0, 3.0], ('b', 't'): [4.0, 5.0], ('c', 't'): [9.0]}))
    assert found.seeds == MeanSquare(pytest.approx(2.5 / 3), 3)
    assert (found.teachers, found.worlds) == (MeanSquare(), MeanSquare())
    assert found.of_mean([4]) == pytest.approx(2.5 / 3 / 4)
    assert found.df_of_difference([3], [2]) == pytest.approx(3)


def test_interaction_of_two_rows_and_two_teachers() -> None:
    # Means 1, 3 and 2, 8: what is not additive is (1 - 3 - 2 + 8) / 4 = 1 in each of four cells, with one degree.
    assert interaction(pd.DataFrame([[1.0, 3.0], [2.0, 8.0]])) == MeanSquare(pytest.approx(4.0), 1)
    missing = pd.DataFrame([[1.0, 3.0, 7.0], [2.0, 8.0, np.nan]])
    assert interaction(missing) == MeanSquare(pytest.approx(4.0), 1), 'a cell alone in its column says nothing'
    assert interaction(pd.DataFrame([[1.0], [2.0]])) == MeanSquare()


def test_component_of_teachers_and_the_variance_of_a_difference() -> None:
    cells = {('a', 's'): [0.5, 1.5], ('a', 't'): [2.5, 3.5], ('b', 's'): [1.5, 2.5], ('b', 't'): [7.5, 8.5]}
    found = analyse(frame_of(cells))
    assert found.seeds == MeanSquare(pytest.approx(0.5), 4)
    assert found.teachers == MeanSquare(pytest.approx(4.0), 1)
    assert found.between_teachers == pytest.approx(4.0 - 0.5 / 2)
    # In a balanced table the variance of a difference is twice the mean square over the teachers, with its degrees.
    assert 2 * found.of_mean([2, 2]) == pytest.approx(2 * 4.0 / 2)
    assert found.df_of_difference([2, 2], [2, 2]) == pytest.approx(1)


def test_satterthwaite_by_hand() -> None:
    # Seeds: 1 / 2 + 1 / 2 of 2.0 with 8 degrees; worlds: 2 / 2 of 3.0 with 4. (2 + 3)^2 / (4 / 8 + 9 / 4).
    found = Variances(MeanSquare(2.0, 8), MeanSquare(), MeanSquare(3.0, 4), 2.0, 2)
    assert 2 * found.of_mean([2]) == pytest.approx(5.0)
    assert found.df_of_difference([2], [2]) == pytest.approx(25 / 2.75)


def test_nothing_is_known_of_single_runs() -> None:
    found = analyse(frame_of({('a', 't'): [1.0], ('b', 't'): [2.0]}))
    assert found.seeds == MeanSquare()
    assert found.df_of_difference([1], [1]) == 0.0
    assert math.isclose(found.of_mean([1]), 0.0)


def test_each_world_is_an_average_over_its_runs() -> None:
    one = frame_of({('a', 't'): [1.0, 1.0], ('b', 't'): [2.0, 2.0]})
    both = pd.concat([one, one.assign(world=1, value=[3.0, 3.0, 8.0, 8.0])])
    found = analyse(both)
    assert found.worlds == MeanSquare(pytest.approx(4.0), 1)
    assert found.number_of_worlds == 2
    assert found.seeds == MeanSquare(0.0, 2)


def test_a_run_is_the_average_of_its_tests() -> None:
    one = frame_of({('a', 't'): [1.0, 3.0], ('b', 't'): [2.0, 4.0]})
    found = analyse(pd.concat([one, one.assign(world=1, value=[2.0, 4.0, 3.0, 5.0])]))
    assert found.seeds == MeanSquare(pytest.approx(2.0), 2), 'averages 1.5 and 3.5, 2.5 and 4.5'


def test_mean_square_of_an_interaction_is_per_degree_of_freedom() -> None:
    # Rows [1, -1, 0] and their negative around their means: six squares of 1, 1 and 0, two degrees.
    assert interaction(pd.DataFrame([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])) == MeanSquare(pytest.approx(2.0), 2)


def test_three_teachers_and_worlds_by_hand() -> None:
    found = Variances(MeanSquare(6.0, 5), MeanSquare(10.0, 4), MeanSquare(3.0, 2), 1.5, 3)
    assert found.between_teachers == pytest.approx(10 - 6 / 1.5)
    assert found.of_mean([1, 2, 4]) == pytest.approx(6 * 1.75 / 9 + 6 / 3 + 3 / 3)
    # Factors: of seeds 3.75 / 9 - 2 / 3 / 1.5 = -1 / 36, of teachers and of worlds 2 / 3.
    parts = [(-6 / 36, 5), (20 / 3, 4), (2.0, 2)]
    want = sum(value for value, _ in parts) ** 2 / sum(value**2 / df for value, df in parts)
    assert found.df_of_difference([1, 2, 4], [2, 2, 1]) == pytest.approx(want)


def test_a_negative_component_of_teachers_counts_as_none() -> None:
    found = Variances(MeanSquare(2.0, 8), MeanSquare(0.5, 3), MeanSquare(), 2.0, 1)
    assert found.between_teachers == 0.0
    assert found.of_mean([2, 2]) == pytest.approx(2 * 1.0 / 4)
    assert found.df_of_difference([2, 2], [2, 2]) == pytest.approx(8)
    small = Variances(MeanSquare(0.5, 8), MeanSquare(1.0, 3), MeanSquare(), 2.0, 1)
    assert small.between_teachers == 0.75 and small.df_of_difference([2, 2], [2, 2]) == pytest.approx(3)
    even = Variances(MeanSquare(1.0, 8), MeanSquare(0.5, 3), MeanSquare(), 2.0, 1)
    assert even.between_teachers == 0.0 and even.df_of_difference([2, 2], [2, 2]) == pytest.approx(8)
