"""Variance of a table's rows: between seeds, between teachers and between worlds, each pooled over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class MeanSquare:
    """Estimate of a variance and its degrees of freedom; 0 with none where it cannot be estimated."""

    value: float = 0.0
    df: int = 0


@dataclass(frozen=True)
class Variances:
    """Mean squares of an analysis of variance with fixed rows and random seeds, teachers and worlds.

    The model of a run of row r with seed s, teacher g and world w is

        x_rgsw = row_r + teacher_g + world_w + (row, teacher)_rg + (row, world)_rw + seed_rgs.

    Effects of teacher and world that all rows share cancel in differences of rows. What does not cancel, and is in the
    intervals, is that one teacher or world suits a row more than another: the interactions. Expected mean squares and
    the components from them are the usual ones (S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, 1992,
    ch. 4); negative components are 0.

    Args:
        seeds: Between seeds of one row and teacher, pooled over rows and teachers.
        teachers: Of the cell means of rows and teachers around their additive fit; has ``seeds / per_cell`` in it.
        worlds: Of the cell means of rows and worlds around their additive fit.
        per_cell: Harmonic mean of the seeds in a cell.
        number_of_worlds: Worlds that each run was tested in.
    """

    seeds: MeanSquare
    teachers: MeanSquare
    worlds: MeanSquare
    per_cell: float
    number_of_worlds: int

    @property
    def between_teachers(self) -> float:
        """Component of the variance of a row's mean under one teacher that other teachers would change."""
        return max(0.0, self.teachers.value - self.seeds.value / self.per_cell)

    def of_mean(self, counts: Sequence[int]) -> float:
        """Variance of a row's mean over teachers, each with so many seeds: what is its own in a difference of rows."""
        own = self.seeds.value * sum(1 / count for count in counts) / len(counts) ** 2
        return own + self.between_teachers / len(counts) + self.worlds.value / self.number_of_worlds

    def df_of_difference(self, one: Sequence[int], other: Sequence[int]) -> float:
        """Degrees of freedom of the variance of a difference, by F. E. Satterthwaite (Biometrics Bulletin 2, 1946).

        The variance is a linear combination of mean squares; ``df = (sum c_k MS_k)^2 / sum (c_k MS_k)^2 / df_k``.
        """
        of_teachers = 2 / len(one) if self.between_teachers > 0 else 0.0
        of_seeds = sum(1 / count for count in (*one, *other)) / len(one) ** 2 - of_teachers / self.per_cell
        parts = (
            (of_seeds, self.seeds),
            (of_teachers, self.teachers),
            (2 / self.number_of_worlds, self.worlds),
        )
        summands = [(factor * square.value, square.df) for factor, square in parts if square.df]
        squares = sum(value**2 / df for value, df in summands)
        return sum(value for value, _ in summands) ** 2 / squares if squares > 0 else 0.0


def analyse(tests: pd.DataFrame) -> Variances:
    """Estimate the variances from the tests of several rows.

    Args:
        tests: A line per run and world: ``row``, ``seed``, ``teacher``, ``world``, ``value``; each run in all worlds.
    """
    runs = tests.groupby(['row', 'teacher', 'seed'], as_index=False)['value'].mean()
    cells = runs.groupby(['row', 'teacher'])['value']
    count, within = cells.size(), cells.var(ddof=1)
    df = int((count - 1).sum())
    seeds = MeanSquare(float((within * (count - 1)).sum() / df), df) if df else MeanSquare()
    teachers = interaction(cells.mean().unstack())
    worlds = interaction(tests.groupby(['row', 'world'])['value'].mean().unstack())
    return Variances(seeds, teachers, worlds, float(len(count) / (1 / count).sum()), tests['world'].nunique())


def interaction(means: pd.DataFrame) -> MeanSquare:
    """Return the mean square of a table of means (rows down, teachers or worlds across) around row plus column.

    Cells may be missing; the fit is by least squares over those that are there, all with one weight.
    """
    row, column = np.nonzero(means.notna().to_numpy())
    value = means.to_numpy()[row, column]
    design = np.hstack((np.eye(means.shape[0])[row], np.eye(means.shape[1])[column]))
    solution, _, rank, _ = np.linalg.lstsq(design, value, rcond=None)
    df = len(value) - int(rank)
    return MeanSquare(float(((value - design @ solution) ** 2).sum() / df), df) if df else MeanSquare()
