"""Convert an information file of BEVFormer or BEVDet (mmdetection3d before 1.1) to one that the data sets read.

The boxes' convention of length and yaw, which changed in mmdetection3d 1.0, is told by the shape of the vehicles.
"""

from __future__ import annotations

import argparse

from .loading import say

HELP = 'convert an information file of another project'
EXAMPLES = """
examples:
  bevdistill data convert nuscenes_infos_temporal_train.pkl data/nuscenes/nuscenes_infos_train.msgpack.gz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('source', metavar='FILE', help="the other project's file")
    parser.add_argument('out', metavar='OUT', help='information file to write')


def run(args: argparse.Namespace) -> None:
    """Write the information file."""
    say(f'reading {args.source}')
    from bevdistill.datasets.infos.convert import convert_infos

    convert_infos(args.source, args.out)
