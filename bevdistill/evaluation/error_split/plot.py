"""Plot an error split, results side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...for_people import counted
from .match import FOUND, Outcome
from .summary import common, mean, numbers

SHARES = (('found', '#7cc496'), ('wrong class', '#d9a400'), ('missed', '#b8b8b8'))
EXTRAS = (('duplicates', '-'), ('confused', '--'), ('background', ':'))
LINES = ('#1f5fa8', '#c05a00', '#7a3b9a', '#2f7f4f', '#444444')
THRESHOLDS = np.arange(0.05, 0.66, 0.05)


def save_plot(outcomes: Mapping[str, Outcome], threshold: float, edges: Sequence[float], path: Path) -> None:
    """Draw shares of objects, both errors by distance, and shares over scores."""
    figure = Figure(figsize=(11, 7), layout='constrained')
    axes = figure.subplots(2, 2)
    _shares(axes[0, 0], outcomes, threshold)
    _errors(axes[0, 1], outcomes, threshold, edges)
    _over_scores(axes[1, 0], outcomes)
    _spread(axes[1, 1], outcomes, threshold)
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


def _errors(axis: Any, outcomes: Mapping[str, Outcome], threshold: float, edges: Sequence[float]) -> None:
    """Plot depth and lateral error by distance, over what each result found."""
    centres = [(low + high) / 2 for low, high in pairwise(edges)]
    for (name, outcome), colour in zip(outcomes.items(), LINES * len(outcomes), strict=False):
        found = outcome.status(threshold) == FOUND
        for kind, errors, style in (('depth', outcome.depth, 'o-'), ('lateral', outcome.lateral, 's--')):
            means = [
                mean(np.abs(errors[found & (outcome.distance >= low) & (outcome.distance < high)]))
                for low, high in pairwise(edges)
            ]
            axis.plot(centres, means, style, color=colour, markersize=4, label=f'{name}: {kind}')
    axis.set_xlabel('distance from the car, m', fontsize=9)
    axis.set_ylabel('mean size of the error, m', fontsize=9)
    axis.set_ylim(bottom=0)
    axis.set_title('error of what was found, along the ray and across it', fontsize=10)
    axis.legend(fontsize=8, frameon=False)
    axis.grid(color='#e8e8e8')


def _over_scores(axis: Any, outcomes: Mapping[str, Outcome]) -> None:
    """Plot found objects and wrong predictions over the threshold."""
    for (name, outcome), colour in zip(outcomes.items(), LINES * len(outcomes), strict=False):
        rows = [numbers(outcome, float(threshold)) for threshold in THRESHOLDS]
        axis.plot(THRESHOLDS, [row['found'] for row in rows], color=colour, linewidth=2.4, label=f'{name}: found')
        for extra, style in EXTRAS:
            shares = [row[extra] for row in rows]
            axis.plot(THRESHOLDS, shares, style, color=colour, linewidth=1, label=f'{name}: {extra}')
    axis.set_xlabel('score threshold', fontsize=9)
    axis.set_ylabel('share of objects / of predictions', fontsize=9)
    axis.set_ylim(0, 1)
    axis.set_title('over scores: objects found; predictions that find nothing', fontsize=10)
    axis.legend(fontsize=7, frameon=False)
    axis.grid(color='#e8e8e8')


def _spread(axis: Any, outcomes: Mapping[str, Outcome], threshold: float) -> None:
    """Plot the distribution of both errors over the objects that all results found."""
    both = common(list(outcomes.values()), threshold)
    boxes, names = [], []
    for name, outcome in outcomes.items():
        boxes += [outcome.depth[both], outcome.lateral[both]]
        names += [f'{name}\ndepth', f'{name}\nlateral']
    axis.axhline(0, color='#808080', linewidth=0.8)
    if both.any():
        axis.boxplot(boxes, whis=(5, 95), showfliers=False, widths=0.5)
    axis.set_xticks(range(1, len(names) + 1), names, fontsize=8)
    axis.set_ylabel('error, m', fontsize=9)
    who = 'that all found' if len(outcomes) > 1 else 'that were found'
    axis.set_title(f'{counted(both.sum(), "object")} {who}: quartiles, 5 to 95 %', fontsize=10)
    axis.grid(axis='y', color='#e8e8e8')
