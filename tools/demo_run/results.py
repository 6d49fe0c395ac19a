"""The table at the end, with what it means."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from math import isnan
from pathlib import Path
from typing import Any

from analysis_tools.compare import METRICS, Row, Run, mean_and_spread, read_metrics, to_csv, to_markdown, to_text

from .plan import LABEL, ROWS, Paths, Plan
from .stamps import Stamps


def collect_rows(plan: Plan, paths: Paths, stamps: Stamps) -> dict[str, Row]:
    """Rows of the table in the order of the plan; seconds are those of the training command."""
    rows: dict[str, Row] = {}
    for name, _, run in plan.runs:
        seconds = stamps.seconds(f'train-{run}')
        result = Run(read_metrics(paths.work_dir(run)), float('nan') if seconds is None else seconds)
        rows.setdefault(name, Row(ROWS[name].title)).runs.append(result)
    return rows


def meaning(seeds: Sequence[int], quick: bool) -> str:
    """The line under the table: what may and what may not be read out of it."""
    if quick:
        return 'A few iterations on a tiny data set: this table shows that the path runs and says nothing on quality.'
    if len(seeds) == 1:
        return (
            f'One seed ({seeds[0]}): the spread over seeds is unknown, so a difference between two rows here may be '
            'chance. docs/results/demo.md has several seeds; --seeds 0 1 2 makes them here.'
        )
    listed = ' '.join(str(seed) for seed in seeds)
    return (
        f'Students: mean ± sample standard deviation over seeds {listed}. One teacher (seed {seeds[0]}), one data set '
        'and one validation split, so the spread is that of the student training alone.'
    )


def machine() -> dict[str, str]:
    """Where the numbers were measured."""
    facts = {'cores': str(os.cpu_count()), 'machine': platform.machine(), 'python': platform.python_version()}
    for package in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d', 'numpy'):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = 'not installed'
    return facts


def as_json(plan: Plan, rows: dict[str, Row], note: str, seconds: float) -> dict[str, Any]:
    """Everything behind the table, run by run."""

    def number(value: float) -> float | None:
        return None if isnan(value) else value

    entries = []
    for name, row in rows.items():
        columns = (*METRICS, 'seconds')
        spreads = {column: mean_and_spread(row.values(column)) for column in columns}
        runs = [(seed, run) for other, seed, run in plan.runs if other == name]
        entries.append(
            dict(
                row=name,
                title=row.name,
                config=ROWS[name].config,
                mean={column: number(mean) for column, (mean, _) in spreads.items()},
                std={column: number(std) for column, (_, std) in spreads.items()},
                runs=[
                    dict(seed=seed, work_dir=run, seconds=number(result.seconds), metrics=result.metrics)
                    for (seed, run), result in zip(runs, row.runs, strict=True)
                ],
            )
        )
    return dict(label=LABEL, meaning=note, demo_seconds=round(seconds), machine=machine(), rows=entries)


def save_results(plan: Plan, paths: Paths, stamps: Stamps, seeds: Sequence[int], quick: bool, seconds: float) -> str:
    """Write results.md, results.csv and results.json.

    Returns:
        The table for the screen, with its label and what it means.
    """
    rows = collect_rows(plan, paths, stamps)
    note = meaning(seeds, quick)
    table = list(rows.values())
    facts = machine()
    where = f'{facts["cores"]} cores, torch {facts["torch"]}; seconds: training of one run, start-up included'
    markdown = f'# Demo results\n\n{LABEL}. {where}.\n\n{to_markdown(table)}\n{note}\n'
    files: dict[Path, str] = {
        paths.out / 'results.md': markdown,
        paths.out / 'results.csv': to_csv(table),
        paths.out / 'results.json': json.dumps(as_json(plan, rows, note, seconds), indent=2) + '\n',
    }
    for path, text in files.items():
        path.write_text(text)
    return f'{to_text(table)}\n\n{LABEL}; {where}.\n{note}'
