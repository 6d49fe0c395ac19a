"""Comparison of all rows with one base: against scipy, by hand, and by simulated rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import dunnett, t

from bevdistill.studies.effects import compare_with
from bevdistill.studies.results import Results, frame
from bevdistill.studies.variances import MeanSquare, Variances, interaction

Values = dict[str, dict[str, list[float]]]


def results(values: Values, *held_out: Values) -> Results:
    """Results of ``{row: {teacher: numbers}}``; seeds count on from teacher to teacher."""
    frames = [
        frame([
            dict(row=row, seed=100 * place + seed, teacher=teacher, seconds=1.0, NDS=value)
            for row, cells in world.items() for place, (teacher, numbers) in enumerate(sorted(cells.items()))
            for seed, value in enumerate(numbers)
        ])
        for world in (values, *held_out)
    ]  # fmt: skip
    return Results(frames[0], {row: row.upper() for row in values}, held_out=frames[1] if held_out else None)


def test_one_teacher_and_world_are_dunnetts_test() -> None:
    numbers = dict(base=[0.30, 0.31, 0.29, 0.30], a=[0.33, 0.35, 0.34], b=[0.31, 0.30, 0.30, 0.33], c=[0.28, 0.27])
    found = compare_with(results({row: {'t': each} for row, each in numbers.items()}), 'base', 'NDS', [['a', 'b', 'c']])
    base, *rows = numbers.values()
    scipys = dunnett(*rows, control=base, random_state=0)
    effects = [found.effects[row] for row in 'abc']
    assert [effect.p for effect in effects] == pytest.approx(list(scipys.pvalue), abs=5e-4)
    assert [effect.p_all for effect in effects] == [effect.p for effect in effects], 'one family'
    interval = scipys.confidence_interval(0.95)
    assert [effect.interval[0] for effect in effects] == pytest.approx(list(interval.low), abs=5e-5)
    assert [effect.interval[1] for effect in effects] == pytest.approx(list(interval.high), abs=5e-5)
    assert effects[0].seeds == (3, 4)


def test_rows_of_one_seed_other_seeds_and_other_teachers() -> None:
    values: Values = dict(
        base=dict(s=[0.30, 0.31], t=[0.40, 0.42, 0.41]),
        # Only under t, where all numbers are higher: compared there alone.
        late=dict(t=[0.45]),
        both=dict(s=[0.33, 0.33, 0.33], t=[0.42]),
        alone=dict(u=[0.9, 0.9]),
    )
    found = compare_with(results(values), 'base', 'NDS', [['late'], ['both', 'alone']])
    assert found.effects['late'].mean == pytest.approx(0.04)
    assert found.effects['late'].half > 0, 'its spread is that of the other rows'
    assert found.effects['both'].mean == pytest.approx((0.33 - 0.305 + 0.42 - 0.41) / 2)
    assert found.effects['both'].teachers == 2
    assert 'alone' not in found.effects
    assert found.effects['late'].p_all >= found.effects['late'].p


def test_nothing_without_spread_and_a_base_without_numbers() -> None:
    found = compare_with(results(dict(base=dict(t=[0.3]), a=dict(t=[0.4]))), 'base', 'NDS', [['a']])
    effect = found.effects['a']
    assert effect.mean == pytest.approx(0.1)
    assert math.isnan(effect.half) and math.isnan(effect.p_all)
    with pytest.raises(ValueError, match=r"--against: 'BASE' has no mAP in every world"):
        compare_with(results(dict(base=dict(t=[0.3]))), 'base', 'mAP', [[]])


def test_runs_that_only_one_world_has_are_left_out() -> None:
    first: Values = dict(base=dict(t=[0.3, 0.4]), a=dict(t=[0.5, 0.7]))
    second: Values = dict(base=dict(t=[0.5]), a=dict(t=[0.6]))
    found = compare_with(results(first, second), 'base', 'NDS', [['a']])
    assert found.effects['a'].seeds == (1, 1)
    assert found.effects['a'].mean == pytest.approx((0.5 - 0.3 + 0.6 - 0.5) / 2)


def test_a_base_that_one_world_lacks_is_refused() -> None:
    first: Values = dict(base=dict(t=[0.3, 0.4]), a=dict(t=[0.5, 0.7]))
    with pytest.raises(ValueError, match=r"--against: 'BASE' has no NDS in every world"):
        compare_with(results(first, dict(a=dict(t=[0.6, 0.5]))), 'base', 'NDS', [['a']])


def test_runs_without_a_seed_are_runs_of_their_own_and_a_base_has_no_effect() -> None:
    values: Values = dict(base=dict(t=[0.3, 0.4]), a=dict(t=[0.5, 0.7]))
    made = results(values)
    made.runs['seed'] = math.nan
    found = compare_with(made, 'base', 'NDS', [['a', 'base', 'nowhere']])
    assert list(found.effects) == ['a']
    assert found.effects['a'].seeds == (2, 2)
    made = results(dict(base=dict(t=[0.3, 0.4]), a=dict(t=[0.5, 0.6, 0.7, 0.8])))
    made.runs.loc[made.runs['row'] == 'a', 'seed'] = [0, math.nan, math.nan, 1]
    assert compare_with(made, 'base', 'NDS', [['a']]).effects['a'].seeds == (4, 2), 'nor are they any that has one'


def simulated(
    rng: np.random.Generator, teachers: int, worlds: int, seeds: int, teacher: float, world: float
) -> np.ndarray:
    """Four rows without difference, (row, world, teacher, seed).

    Seeds have deviation 1, single tests 0.2, interactions of rows with teachers and worlds what is given, what all rows
    share 5.
    """
    shape = (4, worlds, teachers, seeds)
    value = rng.normal(size=(4, 1, teachers, seeds)) + 0.2 * rng.normal(size=shape)
    value = value + teacher * rng.normal(size=(4, 1, teachers, 1)) + world * rng.normal(size=(4, worlds, 1, 1))
    return value + 5 * rng.normal(size=(1, worlds, teachers, 1))


def variances_of(value: np.ndarray) -> Variances:
    """What :func:`analyse` finds in a full table, without the cost of its frames."""
    _, worlds, _, seeds = value.shape
    runs = value.mean(axis=1)
    df = runs.shape[0] * runs.shape[1] * (seeds - 1)
    within = MeanSquare(float(runs.var(axis=2, ddof=1).mean()), df)
    teachers, between_worlds = (interaction(pd.DataFrame(means)) for means in (runs.mean(2), value.mean((2, 3))))
    return Variances(within, teachers, between_worlds, seeds, worlds)


def as_results(value: np.ndarray) -> Results:
    """The same as results of two worlds."""
    worlds: list[Values] = [
        {str(row): {str(g): list(numbers) for g, numbers in enumerate(cells)} for row, cells in enumerate(world)}
        for world in value.swapaxes(0, 1)
    ]
    return results(*worlds)


@pytest.mark.parametrize(
    ('setting', 'naive_is_enough'),
    [((1, 1, 3, 0.0, 0.0), True), ((3, 1, 2, 1.0, 0.0), False), ((3, 2, 2, 1.0, 1.0), False)],
    ids=['seeds', 'teachers', 'teachers and worlds'],
)
def test_intervals_hold_what_they_say(setting: tuple[int, int, int, float, float], naive_is_enough: bool) -> None:
    """Of 500 tables 95 % have the truth in the interval, with what teachers and worlds add; without it fewer have."""
    rng = np.random.default_rng(3)
    counts, hits, naive = [setting[2]] * setting[0], 0, 0
    for _ in range(500):
        value = simulated(rng, *setting)
        found = variances_of(value)
        mean = value[1].mean() - value[0].mean()
        half = t.ppf(0.975, found.df_of_difference(counts, counts)) * math.sqrt(2 * found.of_mean(counts))
        hits += abs(mean) <= half
        seeds_alone = math.sqrt(2 * found.seeds.value / sum(counts))
        naive += abs(mean) <= t.ppf(0.975, found.seeds.df) * seeds_alone
    assert 0.92 < hits / 500 < 0.99
    assert (naive / 500 > 0.92) == naive_is_enough
    effect = compare_with(as_results(value), '0', 'NDS', [['1']]).effects['1']
    assert (effect.mean, effect.half) == pytest.approx((mean, half)), 'what was simulated is what is computed'
