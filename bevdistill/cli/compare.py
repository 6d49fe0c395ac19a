"""Put the test results of many runs into one table: mean, spread, paired difference to a base with its interval."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bevdistill.studies.results import Results

HELP = 'test results of many runs as one table: mean, spread, paired difference with its interval'
HIDE = 'not:'

EXAMPLES = """
examples:
  # one row per work dir; the test must have been run with each of them as --work-dir
  bevdistill compare work_dirs/teacher work_dirs/student work_dirs/distilled

  # dirs that differ only in their ending _seed0, _seed1, ... become one row: mean and sample standard deviation;
  # each row against the base, seed by seed, with the 95 % interval of the difference
  bevdistill compare work_dirs/student_seed* work_dirs/distilled_seed* --base student --out results

  # the manifest of a study: rows in its order, each against the base that the study names
  bevdistill compare work_dirs/benchmark/manifest.json --metrics NDS mAP mATE mAVE --out results

  # a study in two sessions, on two machines say, whose rows have seeds of their own in each: one table
  bevdistill compare first/manifest.json second/manifest.json --mixed --out results

  # the same without the rows of a search
  bevdistill compare first/manifest.json second/manifest.json --mixed --rows 'not:seed 100*' --out results

--out results writes results.md, results.csv (means, spreads, differences), results_seeds.csv (every run)
and results.png. Seconds are those of training: of a work dir from its log, of a manifest start-up included.
Results of different code or data are refused, and what differs is named; --mixed puts them into one table.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument('runs', nargs='+', type=Path, metavar='WORK_DIR', help='work dirs, or manifest.json of a study')
    parser.add_argument('--metrics', nargs='+', metavar='NAME', help='columns, such as NDS mAP mAVE AP_0.5 car_AP')
    parser.add_argument('--rows', nargs='+', metavar='NAME', help="rows by name: 'search*', or 'not:search*'")
    parser.add_argument('--base', metavar='ROW', help='compare every row with this one, seed by seed')
    parser.add_argument('--sort', metavar='NAME', help='best first by this column (default: in the order given)')
    parser.add_argument('--mixed', action='store_true', help='put results of different code or data into one table')
    parser.add_argument(
        '--held-out', '--second', action='store_true', help='of a manifest: the tests on the held-out world'
    )
    parser.add_argument('--out', type=Path, metavar='PREFIX', help='write PREFIX.md, .csv, _seeds.csv and .png')


def read(args: argparse.Namespace) -> tuple[Results, tuple[str, ...]]:
    """Read the rows and columns that the command line asks for.

    Raises:
        FileNotFoundError: If a work dir holds no result.
        ValueError: If a name is unknown, or results of different code or data would be mixed.
    """
    from bevdistill.studies.results import read_manifests, read_work_dirs

    if all(path.suffix == '.json' for path in args.runs):
        results = read_manifests(args.runs, args.held_out)
        if results.missing:
            print(f'not done yet, {len(results.missing)} runs: {", ".join(results.missing)}\n', file=sys.stderr)
    else:
        results = read_work_dirs(args.runs)
        for reason in results.missing:
            print(f'left out: {reason}', file=sys.stderr)
        for work_dir, origin in results.origins.items():
            print(f'{work_dir}: result of {origin}', file=sys.stderr)
    if args.base is not None:
        base = results.named(args.base, '--base')
        results.bases = {row: base for row in results.titles if row != base}
    columns = (*results.metrics, 'seconds')
    if args.metrics:
        known = sorted(set(results.runs.columns) - {'row', 'seed'})
        unknown = sorted(set(args.metrics) - set(known))
        if unknown:
            raise ValueError(f'--metrics: no run has {unknown}; there are {known}')
        columns = tuple(args.metrics)
    results.rows = chosen(results, args.rows)
    _refuse_mixture(results, args.mixed)
    return results.sorted_by(args.sort), columns


def _refuse_mixture(results: Results, allowed: bool) -> None:
    """Stop, or warn where that is allowed, if the rows or their bases are of different code or data."""
    lines = results.mixed()
    if not lines:
        return
    what = 'results of different code or data:\n  ' + '\n  '.join(lines)
    if not allowed:
        raise ValueError(f'{what}\nTo put them into one table: --mixed')
    print(f'{what}\n', file=sys.stderr)


def chosen(results: Results, patterns: Sequence[str] | None) -> list[str]:
    """Return the rows whose title fits one of the patterns and none of those that begin with ``not:``.

    Raises:
        ValueError: If none is left.
    """
    from fnmatch import fnmatchcase

    hidden = [pattern.removeprefix(HIDE) for pattern in patterns or () if pattern.startswith(HIDE)]
    shown = [pattern for pattern in patterns or () if not pattern.startswith(HIDE)] or ['*']

    def fits(row: str, wanted: Sequence[str]) -> bool:
        return any(fnmatchcase(results.titles[row], pattern) for pattern in wanted)

    found = [row for row in results.rows if fits(row, shown) and not fits(row, hidden)]
    if not found:
        raise ValueError(f'--rows {" ".join(patterns or ())}: no such row; there are {list(results.titles.values())}')
    return found


def run(args: argparse.Namespace) -> None:
    """Print the table and save it where asked."""
    from bevdistill.studies.tables import note, save, to_text

    results, columns = read(args)
    print(to_text(results, columns))
    if note(results):
        print(f'\n{note(results)}')
    if args.out is not None:
        for path in save(results, columns, args.out):
            print(f'saved {path}')
