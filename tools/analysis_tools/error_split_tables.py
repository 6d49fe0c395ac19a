"""Numbers and tables of an error split."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from .error_split_match import BACKGROUND, CONFUSED, DUPLICATE, FOUND, MISSED, WRONG_CLASS, Outcome

Mask = np.ndarray

COLUMNS = (
    'objects', 'found', 'wrong class', 'missed', 'depth', 'lateral', 'depth bias', 'predictions', 'duplicates',
    'confused', 'background',
)  # fmt: skip
NOTE = (
    'Of the objects within range: share that was found (a prediction of its class within 4 m), seen as another class, '
    'missed. depth and lateral: mean size of the error of what was found along and across the ray of the camera, m; '
    'depth bias: its mean, positive is too far. Of the predictions: share that finds an object twice, that lies at one '
    'of another class, that lies at none. Predictions of a score of at least {threshold:g}.'
)


def numbers(outcome: Outcome, threshold: float, chosen: Mask | None = None) -> dict[str, float]:
    """The columns for one results file; over some of the objects only, then without what is about predictions."""
    status = outcome.status(threshold)
    objects = np.ones(len(status), dtype=bool) if chosen is None else chosen
    found = objects & (status == FOUND)
    row: dict[str, float] = dict(objects=float(objects.sum()))
    for name, value in (('found', FOUND), ('wrong class', WRONG_CLASS), ('missed', MISSED)):
        row[name] = share(status[objects] == value)
    row['depth'], row['lateral'] = mean(np.abs(outcome.depth[found])), mean(np.abs(outcome.lateral[found]))
    row['depth bias'] = mean(outcome.depth[found])
    if chosen is None:
        kept = outcome.score >= threshold
        row['predictions'] = float(kept.sum())
        for name, value in (('duplicates', DUPLICATE), ('confused', CONFUSED), ('background', BACKGROUND)):
            row[name] = share(outcome.kind[kept] == value)
    return row


def share(mask: Mask) -> float:
    """Share of True; NaN of nothing."""
    return float(mask.mean()) if len(mask) else float('nan')


def mean(values: np.ndarray) -> float:
    """Mean; NaN of nothing."""
    return float(values.mean()) if len(values) else float('nan')


def common(outcomes: Sequence[Outcome], threshold: float) -> Mask:
    """Objects that all results found: only on these do errors compare, since who finds more finds harder ones."""
    return np.all([outcome.status(threshold) == FOUND for outcome in outcomes], axis=0)


def parts(
    outcomes: Mapping[str, Outcome], classes: Sequence[str], threshold: float, edges: Sequence[float]
) -> list[tuple[str, str, dict[str, float]]]:
    """All lines: (part of the objects, results, numbers)."""
    first = next(iter(outcomes.values()))
    chosen: dict[str, Mask | None] = {'all': None}
    if len(outcomes) > 1:
        chosen['found by all'] = common(list(outcomes.values()), threshold)
    for low, high in pairwise(edges):
        chosen[f'{low:g} to {high:g} m'] = (first.distance >= low) & (first.distance < high)
    chosen |= {name: first.label == label for label, name in enumerate(classes)}
    lines = []
    for part, mask in chosen.items():
        if mask is None or mask.any():
            lines += [(part, name, numbers(outcome, threshold, mask)) for name, outcome in outcomes.items()]
    return lines


def to_markdown(lines: Sequence[tuple[str, str, dict[str, float]]], threshold: float) -> str:
    """The table in Markdown."""
    cells = [['objects of', 'results', *COLUMNS], ['---', '---', *['---:'] * len(COLUMNS)]]
    for part, name, row in lines:
        cells.append([part, name, *(_cell(column, row.get(column)) for column in COLUMNS)])
    table = '\n'.join('| ' + ' | '.join(line) + ' |' for line in cells)
    return f'{table}\n\n{NOTE.format(threshold=threshold)}\n'


def _cell(column: str, value: float | None) -> str:
    if value is None or np.isnan(value):
        return '-'
    if column in ('objects', 'predictions'):
        return f'{value:.0f}'
    if column in ('depth', 'lateral', 'depth bias'):
        return f'{value:+.2f} m' if 'bias' in column else f'{value:.2f} m'
    return f'{100 * value:.1f} %'


def to_csv(
    outcomes: Mapping[str, Outcome], classes: Sequence[str], thresholds: Sequence[float], edges: Sequence[float]
) -> str:
    """Every number at every threshold."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(['threshold', 'objects_of', 'results', *(column.replace(' ', '_') for column in COLUMNS)])
    for threshold in thresholds:
        for part, name, row in parts(outcomes, classes, threshold, edges):
            values = (row.get(column, float('nan')) for column in COLUMNS)
            writer.writerow([f'{threshold:g}', part, name, *('' if np.isnan(v) else f'{v:.6g}' for v in values)])
    return out.getvalue()
