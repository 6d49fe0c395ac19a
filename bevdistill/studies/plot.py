"""Draw a table of results, a picture per metric: every seed, the mean, the difference to a base with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .results import Results, bases, compared
from .statistics import half_width, mean_and_spread, paired_difference
from .work_dirs import ERRORS

if TYPE_CHECKING:
    from .effects import Comparison

GREY, BLUE, ORANGE = '#8c8c8c', '#1f5fa8', '#c05a00'
DPI = 110
MOST_INCHES = 8.6
"""Height of a picture at most, a little less than a screen."""
INCH_PER_LETTER = 0.0095
"""Width of a letter of one point."""


@dataclass(frozen=True)
class Line:
    """What a panel shows of one row: runs as dots, mean, half width of its interval, whether it has several runs."""

    each: pd.Series
    mean: float
    half: float
    several: bool


def save_plots(
    results: Results, columns: Sequence[str], prefix: Path, comparisons: Sequence[Comparison] = ()
) -> list[Path]:
    """Draw ``PREFIX_<metric>.png`` for each metric, at most a screen high; returns the files.

    Left are means, right are differences: to the base of the comparisons if there are any, else to each row's own.
    """
    by_column = {comparison.column: comparison for comparison in comparisons}
    prefix.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    for metric in (column for column in columns if column != 'seconds'):
        paths.append(prefix.with_name(f'{prefix.name}_{metric.replace("/", "_")}.png'))
        _draw(results, metric, by_column.get(metric)).savefig(paths[-1], dpi=DPI)
    return paths


def _draw(results: Results, metric: str, comparison: Comparison | None) -> Any:
    from matplotlib.figure import Figure

    differing = comparison is not None or bool(compared(results, [metric]))
    height = min(MOST_INCHES, 0.3 * len(results.rows) + 1.2)
    size = max(4.0, min(9.0, 45 * (height - 1.2) / len(results.rows)))
    names = [results.titles[row] for row in results.rows]
    # Rows with bases of their own name them at the right.
    of_rows = [results.bases.get(row) for row in results.rows] if comparison is None and len(bases(results)) > 1 else []
    others = [f'to {results.titles[base]}' if base is not None else '' for base in of_rows] or [''] * len(names)
    width = (8.0 if differing else 4.5) + INCH_PER_LETTER * size * sum(max(map(len, each)) for each in (names, others))
    figure = Figure(figsize=(width, height), layout='constrained')
    axes = figure.subplots(1, 1 + differing, squeeze=False)[0]
    better = 'less is better' if metric in ERRORS else 'more is better'
    _panel(axes[0], _means(results, metric), f'{metric} ({better})\nmean, 95 % interval, seeds', names, BLUE, size)
    if differing:
        lines, base, held = _paired(results, metric) if comparison is None else _against(results, comparison)
        heading = f'Δ {metric} to {base}\n95 % interval, {held}; hollow: one seed'
        axes[1].yaxis.tick_right()
        _panel(axes[1], lines, heading, others, ORANGE, size)
        axes[1].axvline(0.0, color='#404040', linewidth=0.8)
    return figure


def _means(results: Results, metric: str) -> Mapping[int, Line]:
    lines = {}
    for place, row in enumerate(results.rows):
        values = results.values(row, metric)
        if len(values):
            lines[place] = Line(values, mean_and_spread(values)[0], half_width(values), len(values) > 1)
    return lines


def _paired(results: Results, metric: str) -> tuple[Mapping[int, Line], str, str]:
    """Return the paired difference of each row to its base, the base's name, and what the interval is."""
    found = bases(results)
    lines = {}
    for place, row in enumerate(results.rows):
        if row in results.bases:
            difference = paired_difference(results, row, results.bases[row], metric)
            if difference.pairs:
                lines[place] = Line(difference.each, difference.mean, difference.half, difference.pairs > 1)
    return lines, found[0] if len(found) == 1 else 'the base of each row', 'same seeds'


def _against(results: Results, comparison: Comparison) -> tuple[Mapping[int, Line], str, str]:
    """Return the difference of each row to the one base, whose interval has the pooled variance."""
    none = pd.Series(dtype=float)
    lines = {
        place: Line(none, effect.mean, effect.half, effect.seeds[0] > 1)
        for place, row in enumerate(results.rows)
        if (effect := comparison.effects.get(row)) is not None
    }
    return lines, results.titles[comparison.base], 'all at once'


def _panel(
    axis: Any, lines: Mapping[int, Line], heading: str, names: Sequence[str], colour: str, size: float
) -> None:
    """Draw one line of the panel per row: dots below, interval, mean."""
    axis.set_yticks(range(len(names)), names, fontsize=size)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_title(heading, fontsize=9)
    axis.locator_params(axis='x', nbins=6)
    axis.grid(axis='x', color='#e4e4e4')
    axis.set_axisbelow(True)
    for side in ('top', 'right', 'left'):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis='y', length=0)
    for place, line in lines.items():
        axis.plot(line.each, [place + 0.22] * len(line.each), 'o', color=GREY, markersize=3, alpha=0.8)
        if not math.isnan(line.half):
            ends = [line.mean - line.half, line.mean + line.half]
            axis.plot(ends, [place, place], color=colour, linewidth=2, solid_capstyle='butt')
        # Hollow: one seed, of which the spread is not known from the row itself.
        face = colour if line.several else 'white'
        axis.plot([line.mean], [place], 'o', color=colour, markersize=6, markerfacecolor=face, zorder=3)
