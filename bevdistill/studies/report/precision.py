"""Precision over recall of each class, as a test with kept predictions leaves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...json_file import read_json_object
from .charts import Chart, Series, line_chart

DETAILS_FILE = 'metrics_details.json'
DISTANCE = 2.0
"""Metres at which boxes are matched: where the devkit matches those whose errors it reports."""


def precision_of(work_dir: Path) -> dict[str, dict[float, float]]:
    """Read precision over recall of each class at :data:`DISTANCE`; empty where the test kept none.

    Raises:
        ValueError: If the file is damaged.
    """
    files = sorted(work_dir.rglob(DETAILS_FILE), key=lambda path: path.stat().st_mtime)
    if not files:
        return {}
    tree = read_json_object(files[-1], advice='Test again with --keep-predictions')
    curves: dict[str, dict[float, float]] = {}
    for key, data in tree.items():
        name, _, distance = key.rpartition(':')
        if distance == f'{DISTANCE:.1f}':
            try:
                curves[name] = {float(r): float(p) for r, p in zip(data['recall'], data['precision'], strict=True)}
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f'{files[-1]}: {key} has no recall and precision of one length ({error!r})') from error
    return curves


def precision_charts(runs: Sequence[tuple[str, int, Mapping[str, Mapping[float, float]]]]) -> list[Chart]:
    """Draw precision over recall: a chart per class, a line per run. Beyond the recall that a run reaches it is 0."""
    drawn = []
    for name in dict.fromkeys(name for _, _, curves in runs for name in curves):
        lines = [Series(title, style, curves[name]) for title, style, curves in runs if name in curves]
        drawn.append(line_chart(name.replace('_', ' '), lines, 'recall', unit=(0.0, 1.0)))
    return [chart for chart in drawn if chart is not None]
