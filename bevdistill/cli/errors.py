"""Split a detector's errors: objects missed, of a wrong class, found twice; errors along the camera ray and across."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import above_zero, prefix, require_folder, require_there, score
from .loading import say
from .text_tables import markdown_table

if TYPE_CHECKING:
    import pandas as pd

HELP = 'what a detector misses, confuses or finds twice; errors along the camera ray and across'
EXAMPLES = """
RESULTS is the file results_nusc.json that the metric writes, or a folder that holds one. A study keeps it for every
run; `bevdistill test` does with --keep-predictions.

examples:
  # a student before and after distillation, side by side; --range as in the config's metric
  bevdistill errors data/synthetic \\
      student=runs/student_seed0/predictions distilled=runs/distilled_seed0/predictions --range 25 --out split

  # one results file on nuScenes, with the official ranges
  bevdistill errors data/nuscenes results_nusc.json --version v1.0-trainval

--out split writes split.md, split.csv (all classes, distances and thresholds) and split.png.
"""
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
NOTE = (
    'Of the objects within range: share that was found (a prediction of its class within 4 m), seen as another class, '
    'missed. depth and lateral: mean size of the error of what was found along and across the ray of the camera, m; '
    'depth bias: its mean, positive is too far. Of the predictions: share that finds an object twice, that lies at one '
    'of another class, that lies at none. Predictions of a score of at least {threshold:g}.'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument('root', type=Path, help='nuScenes root')
    parser.add_argument('results', nargs='+', metavar='[NAME=]RESULTS', help='results, with a name for the table')
    parser.add_argument('--version', help='version of the data (default: the only one that is there)')
    parser.add_argument('--range', type=above_zero, metavar='M', help='metres away that count (default: official)')
    parser.add_argument('--score', type=score, default=0.2, help='predictions from this score on (default: 0.2)')
    parser.add_argument('--out', type=prefix, metavar='PREFIX', help='write PREFIX.md, PREFIX.csv and PREFIX.png')


def named(words: Sequence[str]) -> dict[str, Path]:
    """Read ``['a=x', 'y/b']`` as names and paths; without a name, the last telling folder is the name.

    Raises:
        ValueError: If a name is there twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        name, _, path = word.rpartition('=')
        if not name:
            says = [part for part in Path(path).parts if part not in ('predictions', 'pred_instances_3d', '/')]
            says = says or ['results']
            name = Path(says[-1]).stem if len(says) == 1 or not says[-1].endswith('.json') else says[-2]
        if name in found:
            raise ValueError(f"two results are called '{name}'; give names: NAME=RESULTS")
        found[name] = Path(path)
    return found


def to_markdown(table: pd.DataFrame, threshold: float) -> str:
    """Format the rows of one score threshold, with what the columns mean."""
    columns = [name for name in table.columns if name != 'threshold']
    rows = [
        [cell(column, value) for column, value in zip(columns, row, strict=True)]
        for row in table.loc[table['threshold'] == threshold, columns].itertuples(index=False)
    ]
    return f'{markdown_table(columns, rows, range(2, len(columns)))}\n\n{NOTE.format(threshold=threshold)}\n'


def cell(column: str, value: str | float) -> str:
    """Format a value with the unit of its column; ``-`` for NaN."""
    if isinstance(value, str):
        return value
    if value != value:
        return '-'
    if column in ('objects', 'predictions'):
        return f'{value:.0f}'
    if column in ('depth', 'lateral', 'depth bias'):
        return f'{value:+.2f} m' if 'bias' in column else f'{value:.2f} m'
    return f'{100 * value:.1f} %'


def run(args: argparse.Namespace) -> None:
    """Print the table and save it where asked."""
    results = named(args.results)
    require_folder(args.root)
    for path in results.values():
        require_there(path)
    say(f'reading the tables of {args.root} ...')
    from ..checkpoints.whole_file import full_disk_explained
    from ..evaluation.error_split.data import ErrorSplit
    from ..evaluation.error_split.plot import save_plot
    from ..evaluation.error_split.summary import split_table

    split = ErrorSplit(args.root, args.version, args.range)
    outcomes = {name: split.outcome(path) for name, path in results.items()}
    if split.scope:
        print(f'{split.scope}\n')
    farthest = max(float(outcome.distance.max(initial=1.0)) for outcome in outcomes.values())
    edges = [0.0, *(edge for edge in (10.0, 20.0, 30.0, 40.0) if edge < farthest - 2), farthest + 0.1]
    markdown = to_markdown(split_table(outcomes, split.classes, [args.score], edges), args.score)
    print(markdown)
    if args.out is None:
        return
    args.out.parent.mkdir(parents=True, exist_ok=True)
    files = {ending: args.out.with_name(args.out.name + ending) for ending in ('.md', '.csv', '.png')}
    table = split_table(outcomes, split.classes, THRESHOLDS, edges).rename(columns=lambda name: name.replace(' ', '_'))
    with full_disk_explained(args.out.parent):
        files['.md'].write_text(markdown, encoding='utf-8')
        table.to_csv(files['.csv'], index=False, float_format='%.6g')
        save_plot(outcomes, args.score, edges, files['.png'])
    for file in files.values():
        print(f'saved {file}')
