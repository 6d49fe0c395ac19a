#!/usr/bin/env python
"""Write the information files that the data sets read: one record per keyframe, with everything but the sensors' data.

v1.0-trainval and v1.0-mini give nuscenes_infos_{train,val,trainval}.pkl, v1.0-test gives nuscenes_infos_test.pkl.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import make_parser, mistakes_in_words

EXAMPLES = """
examples:
  # training and validation, with the CAN bus expansion unpacked beside the samples
  tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-trainval

  # the test split, for a submission
  tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-test
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument('dataset', choices=['nuscenes'], help='kind of data set')
    parser.add_argument('--root-path', default='data/nuscenes', help='nuScenes root (default: %(default)s)')
    parser.add_argument('--version', default='v1.0-trainval', help='v1.0-trainval, v1.0-mini or v1.0-test')
    parser.add_argument('--out-dir', help='where the files go (default: the root)')
    parser.add_argument('--canbus-root', help='folder that holds can_bus/ (default: the root)')
    parser.add_argument('--max-sweeps', type=int, default=10, help='earlier LiDAR sweeps per sample (default: 10)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Parse, run the converter."""
    args = parse_args(argv)
    from bevdistill.datasets.infos import create_nuscenes_infos

    with mistakes_in_words('create_data.py'):
        create_nuscenes_infos(args.root_path, args.version, args.out_dir, args.canbus_root, args.max_sweeps)


if __name__ == '__main__':
    main()
