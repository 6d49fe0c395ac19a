"""Write information files of one's own data, which stand in a folder in the neutral layout.

The layout is one line of JSON per sample in ROOT/NAME.jsonl: images, points, calibration, poses and boxes. For each,
ROOT/own_infos_NAME.msgpack.gz is written, which training, testing, pictures and scoring read like those of nuScenes.
docs/own_data.md describes the layout and has an example of an importer.
"""

from __future__ import annotations

import argparse

from .arguments import folder_name
from .loading import say

HELP = "write information files of one's own data"
EXAMPLES = """
examples:
  # all *.jsonl of the folder, train.jsonl and val.jsonl for instance
  bevdistill data import data/own

  # one of them, the information file elsewhere
  bevdistill data import data/own train.jsonl --out-dir infos
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('root', help='folder of the data, the data_root of configs')
    parser.add_argument('files', nargs='*', metavar='FILE', help='files of samples in it (default: all *.jsonl)')
    parser.add_argument('--out-dir', type=folder_name, help='where the information files go (default: the root)')


def run(args: argparse.Namespace) -> None:
    """Write the information files."""
    say(f'reading {args.root}')
    from bevdistill.datasets.infos.own import import_own_data

    import_own_data(args.root, args.files, args.out_dir)
