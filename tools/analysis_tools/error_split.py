#!/usr/bin/env python
"""Say what a detector lacks: objects missed, of a wrong class, found twice; errors along the camera ray and across."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.command_line import make_parser, mistakes_in_words

EXAMPLES = """
RESULTS is the file results_nusc.json that the metric writes, or a folder that holds one. A study keeps it
for every run; tools/test.py does with --cfg-options +test_evaluator.jsonfile_prefix=DIR.

examples:
  # a student before and after distillation, side by side; --range as in the config's metric
  tools/analysis_tools/error_split.py data/synthetic \\
      student=runs/student_seed0/predictions distilled=runs/distilled_seed0/predictions --range 25 --out split

  # one results file on nuScenes, with the official ranges
  tools/analysis_tools/error_split.py data/nuscenes results_nusc.json --version v1.0-trainval

--out split writes split.md, split.csv (all classes, distances and thresholds) and split.png.
"""
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument('root', type=Path, help='nuScenes root')
    parser.add_argument('results', nargs='+', metavar='[NAME=]RESULTS', help='results, with a name for the table')
    parser.add_argument('--version', help='version of the data (default: the only one that is there)')
    parser.add_argument('--range', type=float, metavar='M', help='metres from the car that count (default: official)')
    parser.add_argument('--score', type=float, default=0.2, help='predictions from this score on (default: 0.2)')
    parser.add_argument('--out', type=Path, metavar='PREFIX', help='write PREFIX.md, PREFIX.csv and PREFIX.png')
    return parser.parse_args(argv)


def named(words: Sequence[str]) -> dict[str, Path]:
    """``['a=x', 'y/b']`` to names and paths; without a name the last folder that says something.

    Raises:
        ValueError: If a name is there twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, sign, path = word.rpartition('=')
        if not sign:
            says = [part for part in Path(word).parts if part not in ('predictions', 'pred_instances_3d', '/')]
            name = Path(says[-1]).stem if len(says) == 1 or not says[-1].endswith('.json') else says[-2]
        if name in found:
            raise ValueError(f"two results are called '{name}'; give names: NAME=RESULTS")
        found[name] = Path(path)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table and save it where asked."""
    args = parse_args(argv)
    from tools.analysis_tools.error_split_data import Split
    from tools.analysis_tools.error_split_plot import save_plot
    from tools.analysis_tools.error_split_tables import parts, to_csv, to_markdown

    with mistakes_in_words('error_split.py'):
        results = named(args.results)
        split = Split(args.root, args.version, args.range)
        outcomes = {name: split.outcome(path) for name, path in results.items()}
    farthest = max(float(outcome.distance.max(initial=1.0)) for outcome in outcomes.values())
    edges = [0.0, *(edge for edge in (10.0, 20.0, 30.0, 40.0) if edge < farthest - 2), farthest + 0.1]
    table = to_markdown(parts(outcomes, split.classes, args.score, edges), args.score)
    print(table)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        files = {ending: args.out.with_name(args.out.name + ending) for ending in ('.md', '.csv', '.png')}
        files['.md'].write_text(table)
        files['.csv'].write_text(to_csv(outcomes, split.classes, THRESHOLDS, edges))
        save_plot(outcomes, args.score, edges, files['.png'])
        for file in files.values():
            print(f'saved {file}')


if __name__ == '__main__':
    main()
