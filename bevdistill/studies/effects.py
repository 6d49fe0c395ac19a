"""Compare all rows with one base at once: differences, intervals that hold together, and p values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from .dunnett import adjusted, critical, over_families
from .results import Results
from .statistics import CONFIDENCE
from .variances import Variances, analyse


@dataclass(frozen=True)
class Effect:
    """Difference of a row to the base.

    Args:
        row: The row.
        mean: Mean difference, each teacher with one weight.
        half: Half width of its interval; the intervals of a family hold together. NaN where no spread is known.
        p: Dunnett's p value within the family.
        p_all: The same, for there being several families.
        seeds: Runs of the row, of the base.
        teachers: Teachers over which the two are compared.
        df: Degrees of freedom.
    """

    row: str
    mean: float
    half: float
    p: float
    p_all: float
    seeds: tuple[int, int]
    teachers: int
    df: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.mean - self.half, self.mean + self.half


@dataclass(frozen=True)
class Comparison:
    """Effects in one metric by row, and the variances that they stand on."""

    column: str
    base: str
    effects: dict[str, Effect]
    variances: Variances


def tests_of(results: Results, rows: Sequence[str], column: str) -> pd.DataFrame:
    """Return a line per run and world with its number in a column; only runs that all worlds have tested.

    Runs without a seed are runs of their own.
    """
    worlds = [results.runs] if results.held_out is None else [results.runs, results.held_out]
    tables = []
    for world, runs in enumerate(worlds):
        table = runs.reindex(columns=['row', 'seed', 'teacher', column]).rename(columns={column: 'value'})
        table = table[table['row'].isin(rows)].dropna(subset=['value']).assign(world=world)
        table['seed'] = table['seed'].fillna(~table.groupby('row').cumcount())  # -1, -2 and so on
        tables.append(table)
    tests = pd.concat(tables)
    return tests[tests.groupby(['row', 'teacher', 'seed'])['world'].transform('nunique') == len(worlds)]


def compare_with(results: Results, base: str, column: str, families: Sequence[Sequence[str]]) -> Comparison:
    """Compare the rows of some families with a base.

    A difference is the mean over the teachers that both have of the difference of means over seeds. Its variance is
    that of :class:`Variances`, pooled over all rows of the table, so that seeds need not be the same and a row with one
    run has an interval; intervals and p values are Dunnett's within a family, then Holm's over families.

    Raises:
        ValueError: If the base has no number in this column.
    """
    rows = list(dict.fromkeys([base, *results.rows]))
    tests = tests_of(results, rows, column)
    if not (tests['row'] == base).any():
        raise ValueError(f"--against: '{results.titles[base]}' has no {column} in every world that is compared")
    variances = analyse(tests)
    runs = tests.groupby(['row', 'teacher', 'seed'], as_index=False)['value'].mean()
    means = runs.groupby(['row', 'teacher'])['value'].agg(['mean', 'size'])
    found = [_family(means, base, family, variances) for family in families]
    # A row without spread or without a common teacher is no finding, and does not hold up the other families.
    tested = [[effect for effect in family if not math.isnan(effect.p)] for family in found]
    tested = [family for family in tested if family]
    values = over_families([[effect.p for effect in family] for family in tested])
    p_all = {
        effect.row: value
        for family, many in zip(tested, values, strict=True)
        for effect, value in zip(family, many, strict=True)
    }
    effects = {
        effect.row: replace(effect, p_all=p_all.get(effect.row, math.nan)) for family in found for effect in family
    }
    return Comparison(column, base, effects, variances)


def _family(means: pd.DataFrame, base: str, rows: Sequence[str], variances: Variances) -> list[Effect]:
    """Compare the rows of one family; those that share no teacher with the base are left out."""
    differences: dict[str, tuple[float, list[int], list[int]]] = {}
    of_base = means.loc[base]
    for row in rows:
        if row == base or row not in means.index.get_level_values('row'):
            continue
        both = means.loc[row].join(of_base, how='inner', rsuffix='_base')
        if len(both):
            counts = [both[name].astype(int).tolist() for name in ('size', 'size_base')]
            differences[row] = (float((both['mean'] - both['mean_base']).mean()), *counts)
    of_bases = {row: variances.of_mean(counts) for row, (_, _, counts) in differences.items()}
    total = {row: variances.of_mean(counts) + of_bases[row] for row, (_, counts, _) in differences.items()}
    effects = []
    for row, (mean, own, other) in differences.items():
        error, df = math.sqrt(total[row]), variances.df_of_difference(own, other)
        half, p = math.nan, math.nan
        if error > 0:  # Then all are: they have their mean squares in common.
            shares = [of_bases[each] / total[each] for each in differences]
            half, p = critical(CONFIDENCE, shares, df) * error, adjusted(mean / error, shares, df)
        effects.append(Effect(row, mean, half, p, p, (sum(own), sum(other)), len(own), df))
    return effects
