#!/usr/bin/env python
"""Put the test results of many runs into one table: mean, spread, paired difference to a baseline with its interval."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.analysis_tools.compare_runs import (
    METRICS,
    Row,
    Run,
    collect,
    read_manifests,
    read_metrics,
    read_training_seconds,
    split_seed,
)
from tools.analysis_tools.compare_stats import Difference, mean_and_spread, paired_difference
from tools.analysis_tools.compare_tables import (
    COLUMNS,
    cell,
    difference_cell,
    note,
    seeds_csv,
    table_cells,
    to_csv,
    to_markdown,
    to_text,
)

__all__ = [
    'METRICS', 'Difference', 'Row', 'Run', 'cell', 'collect', 'difference_cell', 'mean_and_spread', 'paired_difference',
    'read_manifests', 'read_metrics', 'read_training_seconds', 'seeds_csv', 'split_seed', 'table_cells', 'to_csv',
    'to_markdown', 'to_text',
]  # fmt: skip

HIDE = 'not:'

EXAMPLES = """
examples:
  # one row per work dir; tools/test.py must have been run with each of them as --work-dir
  tools/analysis_tools/compare.py work_dirs/teacher work_dirs/student work_dirs/distilled

  # dirs that differ only in their ending _seed0, _seed1, ... become one row: mean and sample standard deviation;
  # each row against the baseline, seed by seed, with the 95 % interval of the difference
  tools/analysis_tools/compare.py work_dirs/student_seed* work_dirs/distilled_seed* --base student --out results

  # the manifest of tools/run_matrix.py: rows in its order, each against the base that the matrix names
  tools/analysis_tools/compare.py work_dirs/benchmark/manifest.json --metrics NDS mAP mATE mAVE --out results

  # a study in two sittings, on two machines say, whose rows have seeds of their own in each: one table
  tools/analysis_tools/compare.py first/manifest.json second/manifest.json --out results

  # the same without the rows of a search
  tools/analysis_tools/compare.py first/manifest.json second/manifest.json --rows 'not:seed 100*' --out results

--out results writes results.md, results.csv (means, spreads, differences), results_seeds.csv (every run)
and results.png. Seconds are those of training: of a work dir from its log, of a manifest start-up included.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', type=Path, metavar='WORK_DIR', help='work dirs, or manifest.json of a study')
    parser.add_argument('--metrics', nargs='+', metavar='NAME', help='columns, such as NDS mAP mAVE AP_0.5 car_AP')
    parser.add_argument('--rows', nargs='+', metavar='NAME', help="rows by name: 'search*', or 'not:search*'")
    parser.add_argument('--base', metavar='ROW', help='compare every row with this one, seed by seed')
    parser.add_argument('--sort', metavar='NAME', help='best first by this column (default: in the order given)')
    parser.add_argument('--second', action='store_true', help='of a manifest: the tests on the second world')
    parser.add_argument('--out', type=Path, metavar='PREFIX', help='write PREFIX.md, .csv, _seeds.csv and .png')
    return parser.parse_args(argv)


def read(args: argparse.Namespace) -> tuple[list[Row], tuple[str, ...]]:
    """Rows and columns that the command line asks for.

    Raises:
        FileNotFoundError: If a work dir holds no result.
        ValueError: If a name is unknown.
    """
    columns = COLUMNS
    if all(path.suffix == '.json' for path in args.runs):
        manifest = read_manifests(args.runs, args.second)
        rows, columns = manifest.rows, (*manifest.metrics, 'seconds')
        if manifest.missing:
            print(f'not done yet, {len(manifest.missing)} runs: {", ".join(manifest.missing)}\n', file=sys.stderr)
    else:
        rows = collect(args.runs)
    if args.base is not None:
        bases = [row for row in rows if row.name == args.base]
        if not bases:
            raise ValueError(f'--base {args.base}: no such row; there are {[row.name for row in rows]}')
        for row in rows:
            row.base = None if row is bases[0] else bases[0]
    if args.metrics:
        known = sorted({name for row in rows for run in row.runs for name in run.metrics} | {'seconds'})
        unknown = sorted(set(args.metrics) - set(known))
        if unknown:
            raise ValueError(f'--metrics: no run has {unknown}; there are {known}')
        columns = tuple(args.metrics)
    return ordered(chosen(rows, args.rows), args.sort), columns


def chosen(rows: Sequence[Row], patterns: Sequence[str] | None) -> list[Row]:
    """Rows whose name fits one of the patterns and none of those that begin with ``not:``.

    Raises:
        ValueError: If none is left.
    """
    hidden = [pattern.removeprefix(HIDE) for pattern in patterns or () if pattern.startswith(HIDE)]
    shown = [pattern for pattern in patterns or () if not pattern.startswith(HIDE)] or ['*']
    found = [
        row
        for row in rows
        if any(fnmatchcase(row.name, pattern) for pattern in shown)
        and not any(fnmatchcase(row.name, pattern) for pattern in hidden)
    ]
    if not found:
        raise ValueError(f'--rows {" ".join(patterns or ())}: no such row; there are {[row.name for row in rows]}')
    return found


def ordered(rows: Sequence[Row], column: str | None) -> list[Row]:
    """Rows, best first by a column if one is named; rows without it last.

    Raises:
        ValueError: If no row has it.
    """
    if column is None:
        return list(rows)
    means = {id(row): mean_and_spread(row.values(column))[0] for row in rows}
    if all(mean != mean for mean in means.values()):
        raise ValueError(f'--sort {column}: no run has it')
    sign = 1 if column == 'seconds' or column in METRICS[2:] else -1
    return sorted(rows, key=lambda row: (means[id(row)] != means[id(row)], sign * means[id(row)]))


def save(rows: Sequence[Row], columns: Sequence[str], prefix: Path) -> None:
    """Write all files."""
    from tools.analysis_tools.compare_plot import save_plot

    prefix.parent.mkdir(parents=True, exist_ok=True)
    texts = {
        '.md': to_markdown(rows, columns),
        '.csv': to_csv(rows, columns),
        '_seeds.csv': seeds_csv(rows, columns),
    }
    for ending, text in texts.items():
        prefix.with_name(prefix.name + ending).write_text(text)
    save_plot(rows, columns, prefix.with_name(prefix.name + '.png'))
    for ending in (*texts, '.png'):
        print(f'saved {prefix.with_name(prefix.name + ending)}')


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table and save it where asked."""
    args = parse_args(argv)
    try:
        rows, columns = read(args)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'compare.py: error: {error}')
    print(to_text(rows, columns))
    if note(rows):
        print(f'\n{note(rows)}')
    if args.out is not None:
        save(rows, columns, args.out)


if __name__ == '__main__':
    main()
