"""A picture of the table: every seed, the mean, and the paired difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .compare_runs import ERRORS, Row
from .compare_stats import half_width, mean_and_spread, paired_difference
from .compare_tables import compared

GREY, BLUE, ORANGE = '#8c8c8c', '#1f5fa8', '#c05a00'


def save_plot(rows: Sequence[Row], columns: Sequence[str], path: Path) -> None:
    """Draw one panel per metric, and one beside it for the differences to the base."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    metrics = [column for column in columns if column != 'seconds']
    differing = compared(rows, metrics)
    per_metric = 2 if differing else 1
    height = 0.38 * len(rows) + 1.5
    figure, axes = pyplot.subplots(
        len(metrics), per_metric, figsize=(5.2 * per_metric, height * len(metrics)), squeeze=False, layout='constrained'
    )
    for line, metric in zip(axes, metrics, strict=True):
        _values(line[0], rows, metric)
        if differing:
            _differences(line[1], rows, metric)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _prepare(axis: Any, rows: Sequence[Row], title: str, names: bool) -> None:
    axis.set_yticks(range(len(rows)), [row.name for row in rows] if names else [''] * len(rows))
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_title(title, fontsize=10)
    axis.grid(axis='x', color='#e4e4e4')
    axis.set_axisbelow(True)
    for side in ('top', 'right', 'left'):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis='y', length=0)


def _values(axis: Any, rows: Sequence[Row], metric: str) -> None:
    """Seeds as small dots, the mean with the interval of the mean."""
    better = 'less is better' if metric in ERRORS else 'more is better'
    _prepare(axis, rows, f'{metric} ({better})\nmean, 95 % interval, seeds', names=True)
    for place, row in enumerate(rows):
        values = row.values(metric)
        mean, spread = mean_and_spread(values)
        if math.isnan(mean):
            continue
        axis.plot(values, [place + 0.22] * len(values), 'o', color=GREY, markersize=3, alpha=0.8)
        _interval(axis, place, mean, half_width(spread, len(values)), BLUE)


def _differences(axis: Any, rows: Sequence[Row], metric: str) -> None:
    """Difference of each seed, their mean with its interval; a line at no difference."""
    bases = sorted({row.base.name for row in rows if row.base is not None})
    other = bases[0] if len(bases) == 1 else 'the base'
    _prepare(axis, rows, f'Δ {metric}, 95 % interval, same seeds\nto {other}', names=False)
    axis.axvline(0.0, color='#404040', linewidth=0.8)
    for place, row in enumerate(rows):
        if row.base is None or row.base is row:
            continue
        difference = paired_difference(row, row.base, metric)
        if difference.pairs == 0:
            continue
        own, base = row.by_seed(metric), row.base.by_seed(metric)
        each = [own[seed] - base[seed] for seed in own if seed in base]
        axis.plot(each, [place + 0.22] * len(each), 'o', color=GREY, markersize=3, alpha=0.8)
        _interval(axis, place, difference.mean, difference.half, ORANGE)


def _interval(axis: Any, place: int, mean: float, half: float, colour: str) -> None:
    if not math.isnan(half):
        axis.plot([mean - half, mean + half], [place, place], color=colour, linewidth=2, solid_capstyle='butt')
    axis.plot([mean], [place], 'o', color=colour, markersize=6)
