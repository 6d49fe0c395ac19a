"""Draw a table of results: every seed, the mean, and the paired difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .results import Results, bases, compared
from .statistics import half_width, mean_and_spread, paired_difference
from .work_dirs import ERRORS

GREY, BLUE, ORANGE = '#8c8c8c', '#1f5fa8', '#c05a00'
INCH_PER_LETTER = 0.085
"""Width of a row's title beside the panels."""


def save_plot(results: Results, columns: Sequence[str], path: Path) -> None:
    """Draw one panel per metric, and one beside it for the differences to the base."""
    from matplotlib.figure import Figure

    metrics = [column for column in columns if column != 'seconds']
    differing = compared(results, metrics)
    per_metric = 2 if differing else 1
    height = 0.38 * len(results.rows) + 1.5
    width = 3.4 * per_metric + INCH_PER_LETTER * max(len(results.titles[row]) for row in results.rows)
    figure = Figure(figsize=(width, height * len(metrics)), layout='constrained')
    axes = figure.subplots(len(metrics), per_metric, squeeze=False)
    for line, metric in zip(axes, metrics, strict=True):
        _values(line[0], results, metric)
        if differing:
            _differences(line[1], results, metric)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _prepare(axis: Any, results: Results, heading: str, names: bool) -> None:
    labels = [results.titles[row] if names else '' for row in results.rows]
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_title(heading, fontsize=10)
    axis.grid(axis='x', color='#e4e4e4')
    axis.set_axisbelow(True)
    for side in ('top', 'right', 'left'):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis='y', length=0)


def _values(axis: Any, results: Results, metric: str) -> None:
    """Draw seeds as small dots, and the mean with the interval of the mean."""
    better = 'less is better' if metric in ERRORS else 'more is better'
    _prepare(axis, results, f'{metric} ({better})\nmean, 95 % interval, seeds (one: hollow)', names=True)
    for place, row in enumerate(results.rows):
        values = results.values(row, metric)
        if len(values):
            _interval(axis, place, values, mean_and_spread(values)[0], half_width(values), BLUE)


def _differences(axis: Any, results: Results, metric: str) -> None:
    """Draw the difference of each seed and their mean with its interval, and a line at no difference."""
    found = bases(results)
    other = found[0] if len(found) == 1 else 'the base'
    _prepare(axis, results, f'Δ {metric}, 95 % interval, same seeds\nto {other}', names=False)
    axis.axvline(0.0, color='#404040', linewidth=0.8)
    for place, row in enumerate(results.rows):
        if row in results.bases:
            difference = paired_difference(results, row, results.bases[row], metric)
            if difference.pairs:
                _interval(axis, place, difference.each, difference.mean, difference.half, ORANGE)


def _interval(axis: Any, place: int, each: pd.Series, mean: float, half: float, colour: str) -> None:
    axis.plot(each, [place + 0.22] * len(each), 'o', color=GREY, markersize=3, alpha=0.8)
    if not math.isnan(half):
        axis.plot([mean - half, mean + half], [place, place], color=colour, linewidth=2, solid_capstyle='butt')
    # Hollow: one seed, of which the spread is unknown.
    axis.plot([mean], [place], 'o', color=colour, markersize=6, fillstyle='full' if len(each) > 1 else 'none')
