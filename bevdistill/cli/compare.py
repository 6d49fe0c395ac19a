"""Put the test results of many runs into one table: mean, spread, paired difference to a base with its interval."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..for_people import counted, shortened
from .arguments import prefix

if TYPE_CHECKING:
    from bevdistill.studies.results import Results

HELP = 'test results of many runs as one table: mean, spread, paired difference with its interval'
HIDE = 'not:'
MOST_SHOWN = 8

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

  # all rows against one at once: Dunnett's intervals and p values on a variance pooled over the rows, with what
  # teachers (one a session) and worlds add; here in two families, over which p values are adjusted by Holm's steps
  bevdistill compare first/manifest.json second/manifest.json --mixed --both-worlds \\
      --against BEVDistill --family FitNet Set2Set UVTR --family 'ablation*' --metrics NDS mAP --out results

--out results writes results.md, results.csv (means, spreads, differences), results_seeds.csv (every run), a picture
results_NDS.png per metric, and for --against results_against.md and .csv. Seconds are those of training: of a work
dir from its log, of a manifest start-up included.
Results of different code, data, samples (a part of the split) or classes are refused, and what differs is named;
--mixed puts them into one table. Rows that are scored on a part of the split are named below it.
"""

OLD_NAMES = {'--second': '--held-out'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    parser.add_argument('runs', nargs='+', type=Path, metavar='WORK_DIR', help='work dirs, or manifest.json of a study')
    parser.add_argument('--metrics', nargs='+', metavar='NAME', help='columns, such as NDS mAP mAVE AP_0.5 car_AP')
    parser.add_argument('--rows', nargs='+', metavar='NAME', help="rows by name or title: 'search*', or 'not:search*'")
    parser.add_argument('--base', metavar='ROW', help='compare every row with this one, seed by seed')
    parser.add_argument('--sort', metavar='NAME', help='best first by this column (default: in the order given)')
    parser.add_argument('--mixed', action='store_true', help='put results of different code or data into one table')
    parser.add_argument(
        '--held-out', '--second', action='store_true', help='of a manifest: the tests on the held-out world'
    )
    parser.add_argument('--against', metavar='ROW', help='compare all rows with this one at once (Dunnett)')
    parser.add_argument(
        '--family', nargs='+', action='append', metavar='NAME',
        help='for --against: rows by name that are one family; give it once for each (default: all rows are one)',
    )  # fmt: skip
    parser.add_argument(
        '--both-worlds', action='store_true', help='for --against: of a manifest, the tests on the held-out world too'
    )
    parser.add_argument('--out', type=prefix, metavar='PREFIX', help='write PREFIX.md, .csv, _seeds.csv, pictures')


def read(args: argparse.Namespace) -> tuple[Results, tuple[str, ...]]:
    """Read the rows and columns that the command line asks for.

    Raises:
        FileNotFoundError: If a work dir holds no result.
        ValueError: If a name is unknown, or results of different code, data, samples or classes would be mixed.
    """
    from bevdistill.studies.metric_names import check_columns
    from bevdistill.studies.results import read_manifests, read_work_dirs

    held_out = None
    if all(path.suffix == '.json' for path in args.runs):
        results = read_manifests(args.runs, args.held_out)
        if args.both_worlds:
            held_out = read_manifests(args.runs, held_out=True)
            results.held_out = held_out.runs
        if results.missing:
            count = counted(len(results.missing), 'run')
            print(f'not done yet, {count}: {shortened(results.missing, MOST_SHOWN)}\n', file=sys.stderr)
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
        check_columns('--metrics', args.metrics, results.columns)
        columns = tuple(args.metrics)
    check_columns('--sort', args.sort and [args.sort], results.columns)
    results.rows = chosen(results, args.rows)
    also = [] if args.against is None else [results.named(args.against, '--against')]
    lines = results.mixed(also)
    if held_out is not None:
        held_out.rows, held_out.bases = [*results.rows, *also], {}
        lines += held_out.mixed()
    _refuse_mixture(lines, args.mixed)
    return results.sorted_by(args.sort), columns


def _check_flags(args: argparse.Namespace) -> None:
    """Stop at flags that would have no effect.

    Raises:
        ValueError: If there are some.
    """
    for flag, given in (('--family', args.family), ('--both-worlds', args.both_worlds)):
        if given and args.against is None:
            raise ValueError(f'{flag} belongs to a comparison of all rows with one: add --against ROW')
    if args.both_worlds and (args.held_out or any(path.suffix != '.json' for path in args.runs)):
        raise ValueError('--both-worlds takes manifests of studies, and not --held-out, which is one world')


def families(results: Results, base: str, wanted: Sequence[Sequence[str]] | None) -> list[list[str]]:
    """Return the rows of each family: those that its patterns fit, the base left out; by default all rows are one.

    Raises:
        ValueError: If a family has no row, or a row is in two.
    """
    from fnmatch import fnmatchcase

    found = []
    for patterns in wanted or [['*']]:
        rows = [row for row in results.rows if any(fnmatchcase(results.titles[row], word) for word in patterns)]
        found.append([row for row in rows if row != base])
        if not found[-1]:
            titles = [results.titles[row] for row in results.rows]
            raise ValueError(f'--family {" ".join(patterns)}: no such row in the table; there are {titles}')
    several = [results.titles[row] for row in results.rows if sum(row in rows for rows in found) > 1]
    if several:
        raise ValueError(f'--family: {several} are in two families; a row is in one')
    return found


def _refuse_mixture(lines: Sequence[str], allowed: bool) -> None:
    """Stop, or warn where that is allowed, if the rows or their bases are of different code, data or samples."""
    if not lines:
        return
    what = 'results of different code, data, samples or classes:\n  ' + '\n  '.join(lines)
    if not allowed:
        raise ValueError(f'{what}\nTo put them into one table: --mixed')
    print(f'{what}\n', file=sys.stderr)


def chosen(results: Results, patterns: Sequence[str] | None) -> list[str]:
    """Return the rows whose title or name fits one of the patterns and none of those that begin with ``not:``.

    Raises:
        ValueError: If none is left.
    """
    from fnmatch import fnmatchcase

    hidden = [pattern.removeprefix(HIDE) for pattern in patterns or () if pattern.startswith(HIDE)]
    shown = [pattern for pattern in patterns or () if not pattern.startswith(HIDE)] or ['*']

    def fits(row: str, wanted: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for name in (row, results.titles[row]) for pattern in wanted)

    found = [row for row in results.rows if fits(row, shown) and not fits(row, hidden)]
    if not found:
        raise ValueError(f'--rows {" ".join(patterns or ())}: no such row; there are {list(results.titles.values())}')
    return found


def run(args: argparse.Namespace) -> None:
    """Print the tables and save them where asked.

    Raises:
        ValueError: If all rows are to be compared with one, and no column is a metric.
    """
    _check_flags(args)
    from bevdistill.checkpoints.whole_file import full_disk_explained
    from bevdistill.studies.tables import note, save, to_text

    results, columns = read(args)
    print(to_text(results, columns))
    if note(results):
        print(f'\n{note(results)}')
    with full_disk_explained(args.out.parent if args.out else '.'):
        if args.against is None:
            paths = [] if args.out is None else save(results, columns, args.out)
        else:
            paths = _run_against(args, results, columns)
    for path in paths:
        print(f'saved {path}')


def _run_against(args: argparse.Namespace, results: Results, columns: Sequence[str]) -> list[Path]:
    """Print and save the comparison of all rows with one too; returns the files."""
    from bevdistill.studies import effect_tables
    from bevdistill.studies.effects import compare_with
    from bevdistill.studies.tables import save

    base = results.named(args.against, '--against')
    groups = families(results, base, args.family)
    comparisons = [compare_with(results, base, column, groups) for column in columns if column != 'seconds']
    if not comparisons:
        raise ValueError('--against compares metrics, and --metrics names none')
    print(f'\n{effect_tables.to_text(results, comparisons, groups)}')
    if args.out is None:
        return []
    saved = effect_tables.save(results, comparisons, groups, args.out)
    return [*save(results, columns, args.out, comparisons), *saved]
