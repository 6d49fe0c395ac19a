"""Summarise an error split in numbers, by class, distance and score threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .match import BACKGROUND, CONFUSED, DUPLICATE, FOUND, MISSED, WRONG_CLASS, Outcome

Mask = NDArray[np.bool_]

COLUMNS = (
    'objects', 'found', 'wrong class', 'missed', 'depth', 'lateral', 'depth bias', 'predictions', 'duplicates',
    'confused', 'background',
)  # fmt: skip


def numbers(outcome: Outcome, threshold: float, chosen: Mask | None = None) -> dict[str, float]:
    """Compute :data:`COLUMNS` for one results file.

    Args:
        outcome: What became of objects and predictions.
        threshold: Least score of a prediction that counts.
        chosen: Some of the objects, (N,); then without the columns about predictions. None for all.
    """
    status = outcome.status(threshold)
    objects = np.ones(len(status), dtype=bool) if chosen is None else chosen
    found = objects & (status == FOUND)
    row: dict[str, float] = dict(objects=float(objects.sum()))
    for name, value in (('found', FOUND), ('wrong class', WRONG_CLASS), ('missed', MISSED)):
        row[name] = mean(status[objects] == value)
    row['depth'], row['lateral'] = mean(np.abs(outcome.depth[found])), mean(np.abs(outcome.lateral[found]))
    row['depth bias'] = mean(outcome.depth[found])
    if chosen is None:
        kept = outcome.score >= threshold
        row['predictions'] = float(kept.sum())
        for name, value in (('duplicates', DUPLICATE), ('confused', CONFUSED), ('background', BACKGROUND)):
            row[name] = mean(outcome.kind[kept] == value)
    return row


def mean(values: NDArray[np.generic]) -> float:
    """Return the mean, or the share of True; NaN for an empty array."""
    return float(values.mean()) if len(values) else float('nan')


def common(outcomes: Sequence[Outcome], threshold: float) -> Mask:
    """Mark the objects that all results found, (N,).

    Only on these are errors comparable: a model that finds more objects finds harder ones too.
    """
    return np.all([outcome.status(threshold) == FOUND for outcome in outcomes], axis=0)


def split_table(
    outcomes: Mapping[str, Outcome], classes: Sequence[str], thresholds: Sequence[float], edges: Sequence[float]
) -> pd.DataFrame:
    """Tabulate all results, whole, by distance and by class.

    Args:
        outcomes: From the name of a results file to its outcome.
        classes: Names of the classes, by label.
        thresholds: Least scores of predictions that count.
        edges: Metres from the car between which objects are grouped.

    Returns:
        ``threshold``, ``objects of`` (all, found by all, a distance, a class), ``results``, then :data:`COLUMNS`.
    """
    rows = [
        {'threshold': threshold, 'objects of': part, 'results': name} | numbers(outcome, threshold, mask)
        for threshold in thresholds
        for part, mask in _groups(outcomes, classes, threshold, edges)
        if mask is None or mask.any()
        for name, outcome in outcomes.items()
    ]
    return pd.DataFrame(rows, columns=['threshold', 'objects of', 'results', *COLUMNS])


def _groups(
    outcomes: Mapping[str, Outcome], classes: Sequence[str], threshold: float, edges: Sequence[float]
) -> Iterator[tuple[str, Mask | None]]:
    first = next(iter(outcomes.values()))
    yield 'all', None
    if len(outcomes) > 1:
        yield 'found by all', common(list(outcomes.values()), threshold)
    for low, high in pairwise(edges):
        yield f'{low:g} to {high:g} m', (first.distance >= low) & (first.distance < high)
    for label, name in enumerate(classes):
        yield name, first.label == label
