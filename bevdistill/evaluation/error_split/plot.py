"""Plot an error split, results side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...for_people import counted
from .match import FOUND, Outcome
from .summary import common, mean, numbers

SHARES = (('found', '#7cc496'), ('wrong class', '#d9a400'), ('missed', '#b8b8b8'))
EXTRAS = (('duplicates', '-'), ('confused', '--'), ('background', ':'))
LINES = ('#1f5fa8', '#c05a00', '#7a3b9a', '#2f7f4f', '#444444')
THRESHOLDS = np.arange(0.05, 0.66, 0.05)
Colours = Mapping[str, Any]


def save_plot(outcomes: Mapping[str, Outcome], threshold: float, edges: Sequence[float], path: Path) -> None:
    """Draw shares of objects, both errors by distance, and shares over scores."""
    # More results than colours that stay apart: one scale from dark to light, in their order.
    many = len(outcomes) > len(LINES)
    scale = colormaps['viridis'](np.linspace(0, 0.9, len(outcomes))) if many else LINES
    colours = dict(zip(outcomes, scale, strict=False))
    # A line of text for each result in the two panels that list them, and in the legend.
    figure = Figure(figsize=(11, 6 + 0.55 * len(outcomes)), layout='constrained')
    axes = figure.subplots(2, 2)
    _shares(axes[0, 0], outcomes, threshold)
    _errors(axes[0, 1], outcomes, threshold, edges, colours)
    _over_scores(axes[1, 0], outcomes, colours)
    _spread(axes[1, 1], outcomes, threshold, colours)
    names = [Line2D([], [], color=colour, linewidth=2.4, label=name) for name, colour in colours.items()]
    figure.legend(handles=names, loc='outside lower center', ncols=4, fontsize=9, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _shares(axis: Any, outcomes: Mapping[str, Outcome], threshold: float) -> None:
    rows = [numbers(outcome, threshold) for outcome in outcomes.values()]
    left = np.zeros(len(rows))
    for name, colour in SHARES:
        widths = np.array([row[name] for row in rows])
        axis.barh(range(len(rows)), widths, left=left, color=colour, label=name, height=0.6)
        for place, (start, width) in enumerate(zip(left, widths, strict=True)):
            if width > 0.06:
                axis.text(start + width / 2, place, f'{100 * width:.0f} %', ha='center', va='center', fontsize=9)
        left += widths
    axis.set_yticks(range(len(rows)), list(outcomes))
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_title(f'objects, score of at least {threshold:g}', fontsize=10)
    axis.legend(fontsize=8, loc='upper center', bbox_to_anchor=(0.5, -0.08), ncols=3, frameon=False)


def _errors(
    axis: Any, outcomes: Mapping[str, Outcome], threshold: float, edges: Sequence[float], colours: Colours
) -> None:
    """Plot depth and lateral error by distance, over what each result found."""
    centres = [(low + high) / 2 for low, high in pairwise(edges)]
    styles = dict(depth='o-', lateral='s--')
    for name, outcome in outcomes.items():
        found = outcome.status(threshold) == FOUND
        for kind, errors in (('depth', outcome.depth), ('lateral', outcome.lateral)):
            means = [
                mean(np.abs(errors[found & (outcome.distance >= low) & (outcome.distance < high)]))
                for low, high in pairwise(edges)
            ]
            axis.plot(centres, means, styles[kind], color=colours[name], markersize=4)
    axis.set_xlabel('distance from the car, m', fontsize=9)
    axis.set_ylabel('mean size of the error, m', fontsize=9)
    axis.set_ylim(bottom=0)
    axis.set_title('error of what was found, along the ray and across it', fontsize=10)
    _legend_of_styles(axis, styles)
    axis.grid(color='#e8e8e8')


def _over_scores(axis: Any, outcomes: Mapping[str, Outcome], colours: Colours) -> None:
    """Plot found objects and wrong predictions over the threshold."""
    for name, outcome in outcomes.items():
        rows = [numbers(outcome, float(threshold)) for threshold in THRESHOLDS]
        axis.plot(THRESHOLDS, [row['found'] for row in rows], color=colours[name], linewidth=2.4)
        for extra, style in EXTRAS:
            axis.plot(THRESHOLDS, [row[extra] for row in rows], style, color=colours[name], linewidth=1)
    axis.set_xlabel('score threshold', fontsize=9)
    axis.set_ylabel('share of objects / of predictions', fontsize=9)
    axis.set_ylim(0, 1)
    axis.set_title('over scores: objects found (thick); predictions that find nothing', fontsize=10)
    _legend_of_styles(axis, dict(EXTRAS))
    axis.grid(color='#e8e8e8')


def _legend_of_styles(axis: Any, styles: Mapping[str, str]) -> None:
    """Say what the styles of lines mean; colours are said once, below the picture."""
    for name, style in styles.items():
        axis.plot([], [], style, color='#444444', markersize=4, linewidth=1, label=name)
    axis.legend(fontsize=8, frameon=False, loc='best')


def _spread(axis: Any, outcomes: Mapping[str, Outcome], threshold: float, colours: Colours) -> None:
    """Plot the distribution of both errors over the objects that all results found."""
    both = common(list(outcomes.values()), threshold)
    names: list[str] = []
    for name, outcome in outcomes.items():
        for label, errors in ((f'{name}: depth', outcome.depth[both]), ('lateral', outcome.lateral[both])):
            if both.any():
                low, first, middle, third, high = np.percentile(errors, (5, 25, 50, 75, 95))
                axis.hlines(len(names), low, high, colors=[colours[name]], linewidth=1)
                axis.hlines(len(names), first, third, colors=[colours[name]], linewidth=7)
                axis.plot(middle, len(names), '|', color='white', markersize=7)
            names.append(label)
    axis.axvline(0, color='#808080', linewidth=0.8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel('error, m', fontsize=9)
    who = 'that all found' if len(outcomes) > 1 else 'that were found'
    axis.set_title(f'{counted(both.sum(), "object")} {who}: quartiles, 5 to 95 %', fontsize=10)
    axis.grid(axis='x', color='#e8e8e8')
