"""Tell results apart that are scored on other samples or averaged over other classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from ..evaluation.splits import PART
from ..for_people import counted, shortened

WHOLE = 'the whole split'
MOST_ROWS = 4


def samples_of(run: Mapping[str, Any]) -> str:
    """Say which samples a result is of: :data:`WHOLE`, or how many with the number that names them."""
    samples, split, name = (run.get(key, float('nan')) for key in PART)
    if pd.isna(samples):
        return WHOLE
    return f'{counted(round(samples), "sample")} (id {name:.0f}) that are not the whole split of {split:.0f}'


def classes_of(run: Mapping[str, Any]) -> str:
    """Say over which classes the means of a result are; '' where it has no scores by class."""
    names = [str(key).removesuffix('_AP') for key, value in run.items() if str(key).endswith('_AP')]
    scored = sorted(name for name in names if not pd.isna(run[f'{name}_AP']))
    return f'means over {counted(len(scored), "class")} ({", ".join(scored)})' if scored else ''


def parts(runs: pd.DataFrame, titles: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the titles of rows with results of a part of the split, by what :func:`samples_of` says of it."""
    return {text: rows for text, rows in _grouped(runs, titles, samples_of).items() if text != WHOLE}


def differing(runs: pd.DataFrame, titles: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line where rows are scored on different samples, and one where they average over different classes.

    Args:
        runs: Frame of :class:`bevdistill.studies.results.Results`.
        titles: Rows that are compared, each with its title.
    """
    titles = list(titles)
    lines = []
    for what, say in (('samples', samples_of), ('classes', classes_of)):
        found = {text: rows for text, rows in _grouped(runs, titles, say).items() if text}
        if len(found) > 1:
            named = (f'{text}: {shortened(rows, MOST_ROWS)}' for text, rows in found.items())
            lines.append(f'{what}: ' + '; '.join(named))
    return lines


def _grouped(
    runs: pd.DataFrame, titles: Iterable[tuple[str, str]], say: Callable[[dict[str, Any]], str]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row, title in titles:
        for text in dict.fromkeys(map(say, runs[runs['row'] == row].to_dict('records'))):
            found.setdefault(text, []).append(title)
    return found
