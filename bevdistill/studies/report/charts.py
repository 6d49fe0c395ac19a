"""Line charts as the paths, ticks and words of an SVG that the page draws, in the colours of the reader's screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 34
STYLES = 8
"""Colours of the page; the ninth line has the first colour again, with another dash."""
MOST_POINTS = 300
LARGEST = 1e100


@dataclass(frozen=True)
class Line:
    """A line of a chart: which colour and dash, the path, marks where a value is not finite, and the whole in words."""

    style: int
    path: str
    lost: list[int]
    words: str


@dataclass(frozen=True)
class Chart:
    """A chart, in units of its view box.

    Args:
        title: Heading.
        lines: The lines.
        x_ticks: Place and text of each tick.
        y_ticks: The same for the other axis.
        x_label: What the horizontal axis is.
        note: A sentence about it.
        gone: Steps at which values are not finite, in words; '' without any.
    """

    title: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    x_label: str
    note: str = ''
    gone: str = ''


@dataclass(frozen=True)
class Series:
    """Numbers of one line: name and style, and the values by their place on the horizontal axis, which increases."""

    name: str
    style: int
    values: Mapping[float, float]

    @property
    def x(self) -> Floats:
        """Places."""
        return np.array(list(self.values), dtype=np.float64)

    @property
    def y(self) -> Floats:
        """Values; infinite ones, and those too large for an axis, as NaN."""
        values = np.array(list(self.values.values()), dtype=np.float64)
        return np.where(np.abs(values) < LARGEST, values, np.nan)


def line_chart(
    title: str,
    series: Sequence[Series],
    x_label: str,
    note: str = '',
    unit: tuple[float, float] | None = None,
) -> Chart | None:
    """Draw lines; None where no value is finite and none is lost.

    A value that is not finite interrupts its line and is marked on the axis. More than :data:`MOST_POINTS` values of a
    line are averaged in groups.

    Args:
        title: Heading of the chart.
        series: The lines.
        x_label: What the horizontal axis is.
        note: A sentence about the chart.
        unit: Limits of both axes; by default those of the values.
    """
    kept = [each for each in series if each.values]
    if not kept:
        return None
    y = np.concatenate([each.y for each in kept])
    x_limits, x_steps = _axis(np.concatenate([each.x for each in kept]), unit, whole=unit is None)
    y_limits, y_steps = _axis(y[np.isfinite(y)], unit)
    across = _Scale(x_limits, LEFT, WIDTH - RIGHT)
    up = _Scale(y_limits, HEIGHT - BOTTOM, TOP)
    lines = [_line(each, across, up) for each in kept]
    lost = {each.name: each.x[~np.isfinite(each.y)] for each in kept}
    gone = '; '.join(f'{name} at {_some(steps)}' for name, steps in lost.items() if len(steps))
    return Chart(
        title, lines, [(across(v), _number(v)) for v in x_steps], [(up(v), _number(v)) for v in y_steps], x_label, note,
        gone and f'Not a finite number: {gone}.',
    )  # fmt: skip


class _Scale:
    def __init__(self, limits: tuple[float, float], start: float, end: float) -> None:
        self.low, self.start, self.factor = limits[0], start, (end - start) / (limits[1] - limits[0])

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) * self.factor, 1)


def _axis(
    values: Floats, unit: tuple[float, float] | None, whole: bool = False
) -> tuple[tuple[float, float], list[float]]:
    """Return the limits of an axis, and its ticks, at most six."""
    low, high = unit or ((float(values.min()), float(values.max())) if len(values) else (0.0, 1.0))
    if low == high:
        low, high = (low - 0.5, high + 0.5) if low == 0 or whole else (low - abs(low) / 2, high + abs(high) / 2)
    steps = [float(v) for v in MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=whole).tick_values(low, high)]
    if not whole and unit is None:
        low, high = min(low, steps[0]), max(high, steps[-1])
    slack = 1e-9 * (high - low)
    return (low, high), [step for step in steps if low - slack <= step <= high + slack]


def _line(series: Series, across: _Scale, up: _Scale) -> Line:
    x, y = series.x, series.y
    lost = sorted({round(across(step)) for step in x[np.isnan(y)].tolist()})
    if len(x) > MOST_POINTS:
        groups = np.array_split(np.arange(len(x)), MOST_POINTS)
        x = np.array([x[group].mean() for group in groups])
        # Means of what is finite: a group without any stays a gap.
        y = np.array([np.nan if np.isnan(y[group]).all() else np.nanmean(y[group]) for group in groups])
    parts: list[str] = []
    pen = 'M'
    for step, value in zip(x.tolist(), y.tolist(), strict=True):
        if math.isnan(value):
            pen = 'M'
            continue
        parts.append(f'{pen}{across(step):g} {up(value):g}')
        pen = 'L'
    return Line(series.style, _dots(parts), lost, _words(series))


def _dots(parts: Sequence[str]) -> str:
    """Give points without a neighbour a stroke of no length, which round caps draw as a dot."""
    alone = [
        part.startswith('M') and (place + 1 == len(parts) or parts[place + 1].startswith('M'))
        for place, part in enumerate(parts)
    ]
    return ''.join(f'{part}h0' if single else part for part, single in zip(parts, alone, strict=True))


def _words(series: Series) -> str:
    """Say where a line begins and ends, for who does not see it."""
    finite = np.isfinite(series.y)
    x, y = series.x[finite].tolist(), series.y[finite].tolist()
    if not x:
        return f'{series.name}: no finite value'
    first, last = (f'{_number(y[place])} at {_number(x[place])}' for place in (0, -1))
    return f'{series.name}: {first}' if len(x) == 1 else f'{series.name}: from {first} to {last}'


def _some(steps: Floats) -> str:
    shown = ', '.join(map(_number, steps[:3].tolist()))
    return shown + (f' and {len(steps) - 3} more' if len(steps) > 3 else '')


def _number(value: float) -> str:
    """Write a number of a tick: ``20000``, ``0.25``, ``1e-06``."""
    if math.isclose(value, round(value), abs_tol=1e-12) and abs(value) < 1e6:
        return str(round(value))
    return f'{value:.3g}'


def curve_charts(
    terms: Mapping[str, str], runs: Sequence[tuple[str, int, Mapping[str, Mapping[float, float]]]], x_label: str
) -> list[Chart]:
    """Draw a chart per term, with a line per run that has it.

    Args:
        terms: Sentence about each term, by its name.
        runs: Name, style and curves of each run, by term.
        x_label: What the steps are.
    """
    drawn = []
    for term, note in terms.items():
        lines = [Series(name, style, curves[term]) for name, style, curves in runs if term in curves]
        drawn.append(line_chart(term, lines, x_label, note))
    return [chart for chart in drawn if chart is not None]
