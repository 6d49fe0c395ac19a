"""Prepare data on disk.

create writes the information files that the data sets read: one record per keyframe, with everything but the sensors'
data. v1.0-trainval and v1.0-mini give nuscenes_infos_{train,val,trainval}.msgpack.gz, v1.0-test gives
nuscenes_infos_test.msgpack.gz. check reads them, and looks at the files that they name.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..datasets.infos.root import require_root
from . import data_check, data_convert, data_import
from .arguments import folder_name, help_of, whole
from .loading import say

HELP = 'data create | check | import | convert: information files of nuScenes, of own data, of other projects'
OTHERS = {'import': data_import, 'convert': data_convert, 'check': data_check}
EXAMPLES = """
examples:
  # training and validation, with the CAN bus expansion unpacked beside the samples
  bevdistill data create nuscenes --root-path data/nuscenes --version v1.0-trainval

  # the test split, for a submission
  bevdistill data create nuscenes --root-path data/nuscenes --version v1.0-test
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    create = actions.add_parser(
        'create',
        help='write information files',
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for action, module in OTHERS.items():
        module.add_arguments(actions.add_parser(action, help=module.HELP, **help_of(module)))
    create.add_argument('dataset', choices=['nuscenes'], help='kind of data set')
    root = create.add_argument('--root-path', '--data-root', help='nuScenes root (default: %(default)s)')
    root.default = 'data/nuscenes'
    create.add_argument('--version', default='v1.0-trainval', help='v1.0-trainval, v1.0-mini or v1.0-test')
    create.add_argument('--out-dir', type=folder_name, help='where the files go (default: the root)')
    create.add_argument('--canbus-root', help='folder that holds can_bus/ (default: the root)')
    create.add_argument('--max-sweeps', type=whole, default=10, help='earlier LiDAR sweeps per sample (default: 10)')


def run(args: argparse.Namespace) -> int | None:
    """Do what was asked for."""
    if args.action in OTHERS:
        status: int | None = OTHERS[args.action].run(args)
        return status
    if args.canbus_root is not None and not Path(args.canbus_root, 'can_bus').is_dir():
        raise FileNotFoundError(
            f'--canbus-root {args.canbus_root}: expected a folder that holds can_bus/, found none in it'
        )
    require_root(Path(args.root_path))
    say(f'reading {args.version} of {args.root_path}')
    from bevdistill.datasets.infos.create import create_nuscenes_infos

    create_nuscenes_infos(args.root_path, args.version, args.out_dir, args.canbus_root, args.max_sweeps)
    return None
