"""Write one page about some runs: scores, what differs between the configs, curves, distillation, classes, samples."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..for_people import counted
from .arguments import require_folder, score, whole
from .loading import say

HELP = 'one page about some runs: scores, configs, curves, classes, samples with a slider'
EXAMPLES = """
The page is one HTML file without anything from elsewhere: it can be mailed, and opens without a network.

examples:
  # three runs; the first one is what the others are compared with
  bevdistill report runs/student runs/teacher runs/distilled -o report.html

  # dirs that differ only in their ending _seed0, _seed1, ... are one row: mean, spread, intervals
  bevdistill report work_dirs/student_seed* work_dirs/distilled_seed* --against student -o report.html

  # a study: the folder that it writes, or its manifest
  bevdistill report work_dirs/first-ablation -o first_ablation.html

  # more samples of data that have moved since; bevdistill test --keep-predictions keeps what they show
  bevdistill report runs/student runs/distilled --samples 8 --data-root data/nuscenes -o report.html
"""
MEGABYTE = 1_000_000
PAGES = ('.html', '.htm')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument('runs', nargs='+', type=Path, metavar='WORK_DIR', help='work dirs, or the folder of a study')
    parser.add_argument('-o', '--out', type=Path, default=Path('report.html'), help='the page (default: report.html)')
    parser.add_argument(
        '--against', metavar='ROW', help='compare with this row (default: the first work dir, in a study its own)'
    )
    parser.add_argument('--samples', type=whole, default=3, metavar='N', help='samples to draw (default: 3)')
    parser.add_argument('--score', type=score, default=0.2, help='boxes from this score on (default: 0.2)')
    parser.add_argument('--data-root', type=Path, metavar='DIR', help="data root in place of the configs'")
    parser.add_argument('--ann-file', type=Path, metavar='FILE', help="information file in place of the configs'")
    parser.add_argument(
        '--max-mb', type=_megabytes, default=10.0, metavar='MB', help='leave out samples beyond this size (default: 10)'
    )


def run(args: argparse.Namespace) -> None:
    """Write the page.

    Raises:
        FileNotFoundError: If a folder holds no run, or data that were named are not there.
        IsADirectoryError: If the page would be a folder.
        ValueError: If names do not fit, or the page does not fit into its size.
    """
    if args.out.is_dir():
        raise IsADirectoryError(f'--out {args.out} is a folder; name a file in it, such as {args.out}/report.html')
    if args.out.suffix.lower() not in PAGES:
        raise ValueError(f'--out {args.out}: expected a page, a file that ends in .html')
    if args.data_root is not None:
        require_folder(args.data_root, '--data-root')
    say(f'reading {counted(len(args.runs), "folder")} ...')
    from bevdistill.checkpoints.whole_file import write_whole
    from bevdistill.studies.report.page import gather, render
    from bevdistill.studies.report.runs import find_runs

    report = gather(find_runs(args.runs, args.against))
    limit = int(args.max_mb * MEGABYTE)
    _page(render(report), limit)
    if report.files:
        say(f'reading predictions of {counted(len(report.files), "run")} ...')
        from bevdistill.studies.report.predicted import Wanted, add_predicted

        add_predicted(report, Wanted(args.samples, args.score, limit, args.data_root, args.ann_file))
    page = _page(render(report), limit)
    write_whole(page, args.out)
    for line in report.notes:
        print(f'missing: {line}', file=sys.stderr)
    size = f'{len(page) / MEGABYTE:.1f} MB'
    shown = counted(len(report.context['pictures']), 'sample')
    print(f'{args.out}: {counted(len(report.runs.runs), "run")}, {shown}, {size}')


def _megabytes(word: str) -> float:
    number = float(word)
    if not 0 < number < 1000:
        raise argparse.ArgumentTypeError(f'must lie above 0 and below 1000, got {word}')
    return number


def _page(text: str, limit: int) -> bytes:
    """Return a page as it is written, or say that it is too large; names of files may hold bytes that are no text."""
    page = text.encode(errors='backslashreplace')
    if len(page) > limit:
        raise ValueError(
            f'the page without samples has {len(page) / MEGABYTE:.1f} MB, and --max-mb is {limit / MEGABYTE:g}; name '
            'fewer runs, or allow more'
        )
    return page
