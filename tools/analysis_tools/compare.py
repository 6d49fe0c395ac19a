#!/usr/bin/env python
"""Put the test results of many work dirs into one table."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

EXAMPLES = """
examples:
  # one row per work dir; tools/test.py must have been run with each of them as --work-dir
  tools/analysis_tools/compare.py work_dirs/teacher work_dirs/student work_dirs/distilled

  # dirs that differ only in their ending _seed0, _seed1, ... become one row: mean and sample standard deviation
  tools/analysis_tools/compare.py work_dirs/student_seed* work_dirs/distilled_seed* --out results

--out results writes results.md and results.csv. Seconds are those of training, from its log.
"""

METRICS = ('NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE')
SEED_ENDING = re.compile(r'[_-]seed[_-]?(\d+)$')


@dataclass(frozen=True)
class Run:
    """Test metrics of one run and the seconds that its training took (NaN where unknown)."""

    metrics: dict[str, float]
    seconds: float = math.nan


@dataclass
class Row:
    """One line of the table: the runs of one setting that differ in their seed alone."""

    name: str
    runs: list[Run] = field(default_factory=list)

    def values(self, column: str) -> list[float]:
        """Numbers of one column that are there, run by run."""
        found = [run.seconds if column == 'seconds' else run.metrics.get(column, math.nan) for run in self.runs]
        return [value for value in found if not math.isnan(value)]


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; NaN where there are too few values."""
    mean = statistics.fmean(values) if values else math.nan
    return mean, statistics.stdev(values) if len(values) > 1 else math.nan


def _short_names(metrics: dict[str, object]) -> dict[str, float]:
    """``NuScenes metric/pred_instances_3d_NuScenes/NDS`` and the like to ``NDS``; only numbers, only known names."""
    found = {key.rsplit('/', 1)[-1]: value for key, value in metrics.items()}
    return {name: float(found[name]) for name in METRICS if isinstance(found.get(name), int | float)}


def read_metrics(work_dir: Path) -> dict[str, float]:
    """Metrics of the newest test in a work dir, where mmengine wrote ``<time>/<time>.json``.

    Raises:
        FileNotFoundError: If the work dir holds no test result; says which command makes one.
    """
    for path in sorted(work_dir.glob('*/*.json'), reverse=True):
        if path.stem != path.parent.name:
            continue
        try:
            metrics = _short_names(json.loads(path.read_text()))
        except (json.JSONDecodeError, AttributeError):
            continue
        if metrics:
            return metrics
    raise FileNotFoundError(
        f'no test result in {work_dir}; make one with: tools/test.py CONFIG CHECKPOINT --work-dir {work_dir}'
    )


def read_training_seconds(work_dir: Path) -> float:
    """Seconds of training in a work dir: logged seconds per iteration times iterations; NaN without a log.

    A resumed run has several logs; where they overlap the newest counts, as its weights do.
    """
    seconds_at: dict[int, float] = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if 'time' in entry and 'loss' in entry:
                seconds_at[int(entry['step'])] = float(entry['time'])
    if not seconds_at:
        return math.nan
    steps = sorted(seconds_at)
    return sum(seconds_at[step] * (step - before) for before, step in zip([0, *steps], steps, strict=False))


def split_seed(name: str) -> tuple[str, int | None]:
    """``student_seed2`` to ``('student', 2)``; a name without seed keeps None."""
    match = SEED_ENDING.search(name)
    return (name[: match.start()], int(match.group(1))) if match else (name, None)


def collect(work_dirs: Iterable[Path]) -> list[Row]:
    """Read work dirs into rows, in the order in which their names first appear."""
    rows: dict[str, Row] = {}
    for work_dir in work_dirs:
        name, _ = split_seed(work_dir.name)
        run = Run(read_metrics(work_dir), read_training_seconds(work_dir))
        rows.setdefault(name, Row(name)).runs.append(run)
    return list(rows.values())


def cell(row: Row, column: str) -> str:
    """Text of one cell: ``0.413``, ``0.413 ± 0.020`` over several seeds, or ``-``."""
    mean, spread = mean_and_spread(row.values(column))
    digits = 0 if column == 'seconds' else 3
    if math.isnan(mean):
        return '-'
    return f'{mean:.{digits}f}' if math.isnan(spread) else f'{mean:.{digits}f} ± {spread:.{digits}f}'


def table_cells(rows: Sequence[Row]) -> list[list[str]]:
    """Header and body of the table; a column of seed counts appears where some row has several."""
    several = any(len(row.runs) > 1 for row in rows)
    columns = [*METRICS, 'seconds']
    header = ['model', *(['seeds'] if several else []), *columns]
    body = []
    for row in rows:
        seeds = [str(len(row.runs))] if several else []
        body.append([row.name, *seeds, *(cell(row, column) for column in columns)])
    return [header, *body]


def to_text(rows: Sequence[Row]) -> str:
    """Table in aligned columns for a terminal."""
    cells = table_cells(rows)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = []
    for name, *numbers in cells:
        aligned = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True)]
        lines.append('  '.join([name.ljust(widths[0]), *aligned]))
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)


def to_markdown(rows: Sequence[Row]) -> str:
    """Table in Markdown."""
    header, *body = table_cells(rows)
    lines = [header, ['---', *['---:'] * (len(header) - 1)], *body]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines) + '\n'


def to_csv(rows: Sequence[Row]) -> str:
    """Table as CSV with full precision: mean and sample standard deviation of each column."""
    columns = [*METRICS, 'seconds']
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(['model', 'seeds', *(text for column in columns for text in (column, f'{column}_std'))])
    for row in rows:
        numbers = [number for column in columns for number in mean_and_spread(row.values(column))]
        texts = ['' if math.isnan(number) else f'{number:.6g}' for number in numbers]
        writer.writerow([row.name, len(row.runs), *texts])
    return out.getvalue()


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dirs', nargs='+', type=Path, metavar='WORK_DIR')
    parser.add_argument('--out', type=Path, metavar='PREFIX', help='write PREFIX.md and PREFIX.csv')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table and save it where asked."""
    args = parse_args(argv)
    try:
        rows = collect(args.work_dirs)
    except FileNotFoundError as error:
        sys.exit(f'compare.py: error: {error}')
    print(to_text(rows))
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        for ending, text in (('.md', to_markdown(rows)), ('.csv', to_csv(rows))):
            path = args.out.with_name(args.out.name + ending)
            path.write_text(text)
            print(f'saved {path}')


if __name__ == '__main__':
    main()
