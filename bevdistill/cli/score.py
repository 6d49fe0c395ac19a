"""Score predictions of a file, without a model: whole, by distance, visibility, light, weather and scenes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..for_people import counted
from .arguments import above_zero, errors_of, folder, require_folder, require_there, score
from .loading import say
from .text_tables import text_table

if TYPE_CHECKING:
    import pandas as pd

    from ..evaluation.breakdown import ScoredResults
    from ..evaluation.nuscenes_boxes import NuScenesTables

HELP = 'score predictions of a file without a model: by distance, visibility, day and night, scenes'
EXAMPLES = """
RESULTS is results_nusc.json, or a folder that holds one: `bevdistill test CONFIG CHECKPOINT --keep-predictions` writes
it to <work dir>/predictions. The samples in it are scored; with fewer than the official split the table says so.

examples:
  # scores per class; --range as in the config's metric
  bevdistill score data/synthetic runs/student/predictions --range 25

  # by distance, visibility and light, with curves and the confusion matrix as pictures and CSV
  bevdistill score data/nuscenes runs/student/predictions --by distance visibility light --out scores

  # two classes of a detector for two classes; the NDS of all ten with --all-classes
  bevdistill score data/nuscenes results_nusc.json --classes car pedestrian

  # bands of one's own, lists of scenes, the samples of an information file alone
  bevdistill score data/nuscenes results_nusc.json --by distance --bands 0 20 40 --scenes bridge=scene-0003,scene-0012
  bevdistill score data/nuscenes results_nusc.json --ann-file data/nuscenes/nuscenes_infos_val.msgpack.gz
"""
KINDS = ('distance', 'visibility', 'light', 'weather')
MEANS = ('AP', 'ATE', 'ASE', 'AOE', 'AVE', 'AAE')
BANDS = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument('root', type=Path, help='nuScenes root')
    parser.add_argument('results', type=Path, help='results_nusc.json, or a folder that holds one')
    parser.add_argument('--version', help='version of the data (default: the only one that is there)')
    parser.add_argument('--ann-file', type=Path, metavar='FILE', help='score the samples of this information file')
    parser.add_argument('--classes', nargs='+', metavar='CLASS', help='classes that are detected (default: all ten)')
    parser.add_argument('--all-classes', action='store_true', help='means over all ten classes, whatever is detected')
    parser.add_argument('--range', type=above_zero, metavar='M', help='metres away that count (default: official)')
    parser.add_argument('--by', nargs='+', default=[], choices=KINDS, help='also score parts; light: day and night')
    parser.add_argument(
        '--bands', nargs='+', type=float, default=BANDS, metavar='M', help='edges of distance (default: every 10 to 50)'
    )
    parser.add_argument(
        '--scenes', nargs='+', default=[], metavar='[NAME=]SCENE,SCENE', help='also score these lists of scenes'
    )
    parser.add_argument('--score', type=score, default=0.2, help='of the confusion matrix, the least (default: 0.2)')
    parser.add_argument('--out', type=folder, metavar='DIR', help='write tables as CSV and pictures into this folder')


def run(args: argparse.Namespace) -> None:
    """Print the tables and save them where asked."""
    edges = increasing(args.bands)
    require_folder(args.root)
    for path in filter(None, (args.results, args.ann_file)):
        require_there(path)
    say(f'reading the tables of {args.root} ...')
    from ..evaluation.breakdown import ScoredResults
    from ..evaluation.error_split.data import results_file, version_of
    from ..evaluation.nuscenes_boxes import NuScenesTables
    from ..evaluation.nuscenes_summary import class_table

    file = results_file(args.results)
    tables = NuScenesTables(args.root, version_of(args.root, args.version))
    scored = ScoredResults(tables, file, args.range, args.classes, args.all_classes, tokens_of(args.ann_file, tables))
    say(f'scoring {counted(len(scored.truth.sample_tokens), "sample")} ...')
    whole = scored.score()
    print(class_table(whole[0], scored.classes, scored.scope))
    if args.classes is None and scored.unused:
        print(f'no box is predicted of: {", ".join(scored.unused)}; --classes scores the classes of a detector')
    with errors_of('--scenes'):
        table = scored.table(whole, scored.groups(dict.fromkeys(args.by), edges, args.scenes))
    if args.by or args.scenes:
        print(f'\n{group_table(table)}')
    if args.out is not None:
        from ..evaluation.breakdown import curve_table

        save(scored, table, curve_table(whole[1]), args.score, args.out)


def increasing(edges: Sequence[float]) -> list[float]:
    """Check the edges of distance bands.

    Raises:
        ValueError: If there are fewer than two, or they do not increase from 0 on.
    """
    if len(edges) < 2 or not edges[0] >= 0 or not all(low < high for low, high in pairwise(edges)):
        given = ' '.join(f'{edge:g}' for edge in edges)
        raise ValueError(f'--bands: expected two or more metres from 0 on that increase, got {given}')
    return list(edges)


def tokens_of(ann_file: Path | None, tables: NuScenesTables) -> list[str] | None:
    """Read the samples of an information file.

    Raises:
        ValueError: If one is not of the version that is scored.
    """
    if ann_file is None:
        return None
    from ..datasets.infos import read_infos

    tokens = [info['token'] for info in read_infos(str(ann_file))['data_list']]
    strange = [token for token in tokens if token not in tables.scene_of]
    if strange:
        raise ValueError(
            f'--ann-file: {len(strange)} of {counted(len(tokens), "sample")} of {ann_file} are not in '
            f'{tables.devkit.version}, the first is {strange[0]}'
        )
    return tokens


def group_table(table: pd.DataFrame) -> str:
    """Format the means of each group."""
    means = table[table['class'] == 'mean'].drop(columns='class')
    means = means.rename(columns={name: f'm{name}' for name in MEANS})
    rows = [[cell(value) for value in row] for row in means.itertuples(index=False)]
    return text_table([list(means.columns), *rows], right=range(2, len(means.columns)))


def cell(value: str | float) -> str:
    """Format a count, a score or a word; ``-`` for NaN."""
    if isinstance(value, float):
        return '-' if value != value else f'{value:.4f}'
    return str(value)


def save(scored: ScoredResults, table: pd.DataFrame, curves: pd.DataFrame, threshold: float, folder: Path) -> None:
    """Write scores, curves and confusion matrix as CSV, and the last two as pictures."""
    import pandas as pd

    from ..checkpoints.whole_file import full_disk_explained
    from ..evaluation.matching import confusion_matrix
    from ..evaluation.score_plots import save_confusion, save_curves

    folder.mkdir(parents=True, exist_ok=True)
    matrix = confusion_matrix(scored.truth, scored.predicted, scored.classes, threshold)
    named = pd.DataFrame(matrix, [*scored.classes, 'no object'], [*scored.classes, 'not detected'])
    whole = table[table['by'] == 'all'].set_index('class')['AP']
    with full_disk_explained(folder):
        table.to_csv(folder / 'scores.csv', index=False, float_format='%.6g')
        curves.to_csv(folder / 'curves.csv', index=False, float_format='%.6g')
        named.to_csv(folder / 'confusion.csv', index_label='object')
        save_curves(curves, whole.to_dict(), folder / 'curves.png')
        save_confusion(matrix, scored.classes, threshold, folder / 'confusion.png')
    print(f'saved {folder}/scores.csv, curves.csv, curves.png, confusion.csv, confusion.png')
