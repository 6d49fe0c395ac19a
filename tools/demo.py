#!/usr/bin/env python
"""From nothing to a distilled student: make data, train teacher and students, test, one table and pictures."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from demo_run.display import make_display
from demo_run.execute import Executor, StepFailedError
from demo_run.plan import EXTRA_ROWS, REPO, ROWS, SIZES, STANDARD_ROWS, Paths, PlanBuilder
from demo_run.progress import readable
from demo_run.results import save_results
from demo_run.stamps import Stamps
from demo_run.starters import WarmStarter, prepare_environment, start_program

MARKER = '.bevdistill-demo'

EXAMPLES = """
examples:
  # the demo; steps that are done are skipped, so a stopped demo goes on where it was
  python tools/demo.py

  # three seeds of each student: mean and spread
  python tools/demo.py --seeds 0 1 2

  # with the rows that say where a gain comes from
  python tools/demo.py --rows init-only losses-only

  # does everything run? a tiny data set and a few iterations
  python tools/demo.py --quick --out work_dirs/quick-demo

OUT holds data/, work_dirs/, logs/, pictures/, and the table as results.md, results.csv and results.json.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('demo'), metavar='DIR', help='output folder (default: demo)')
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument('--seed', type=int, default=0, metavar='N', help='seed of the trainings (default: 0)')
    seeds.add_argument('--seeds', type=int, nargs='+', metavar='N', help='train each student with each of these seeds')
    extra = f'further rows: {", ".join(EXTRA_ROWS)}'
    parser.add_argument('--rows', nargs='+', default=[], choices=EXTRA_ROWS, metavar='ROW', help=extra)
    parser.add_argument('--quick', action='store_true', help='tiny data, few iterations: shows that everything runs')
    parser.add_argument('--restart', action='store_true', help='throw away what an earlier demo left in the folder')
    return parser.parse_args(argv)


def prepare_folder(out: Path, restart: bool) -> None:
    """Make the output folder, or take up the one of an earlier demo.

    Raises:
        ValueError: If the folder holds something else.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f'{out} is a file; name a folder with --out')
    foreign = out.is_dir() and any(out.iterdir()) and not (out / MARKER).exists()
    if foreign:
        raise ValueError(f'{out} is not empty and was not made by this demo; name another folder with --out')
    if restart and out.is_dir():
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()


def run_demo(args: argparse.Namespace, paths: Paths) -> str:
    """Run all steps and write the results.

    Returns:
        The table, ready to be printed.
    """
    seeds = list(dict.fromkeys(args.seeds or [args.seed]))
    chosen = [name for name in ROWS if name in STANDARD_ROWS or name in args.rows]
    plan = PlanBuilder(paths, SIZES['quick' if args.quick else 'full'], chosen, seeds).build()
    stamps = Stamps(paths.out / 'stamps')
    began = time.monotonic()
    prepare_environment()
    display, start = make_display(), WarmStarter() if args.quick else start_program
    expected = readable(sum(step.seconds for step in plan.steps))
    display.say(f'{len(plan.steps)} steps, about {expected} on two idle cores')
    try:
        Executor(plan, stamps, paths.out / 'logs', display, start).run()
    finally:
        display.close()
    seconds = time.monotonic() - began
    table = save_results(plan, paths, stamps, seeds, args.quick, seconds)
    saved = f'Saved in {paths.shown(paths.out)}/: results.md, results.csv, results.json, pictures/'
    return f'\n{table}\n\n{readable(seconds)} in all. {saved}'


def main(argv: Sequence[str] | None = None, paths: Paths | None = None) -> int:
    """Run the demo; returns the exit status."""
    args = parse_args(argv)
    paths = paths or Paths(args.out if args.out.is_absolute() else REPO / args.out)
    try:
        prepare_folder(paths.out, args.restart)
        print(run_demo(args, paths))
    except KeyboardInterrupt:
        print('\nstopped; run the same command again to go on with the step that was stopped', file=sys.stderr)
        return 130
    except (StepFailedError, ValueError, FileNotFoundError) as error:
        print(f'\ndemo.py: error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
