"""Write the information files that the data sets read.

Example:
    python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-trainval
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


DESCRIPTION = 'Write nuscenes_infos_{train,val,trainval}.pkl, or nuscenes_infos_test.pkl, for a nuScenes root.'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument('dataset', choices=['nuscenes'], help='kind of data set')
    parser.add_argument('--root-path', default='data/nuscenes', help='nuScenes root (default: %(default)s)')
    parser.add_argument('--version', default='v1.0-trainval', help='v1.0-trainval, v1.0-mini or v1.0-test')
    parser.add_argument('--out-dir', help='where the files go (default: the root)')
    parser.add_argument('--canbus-root', help='folder that holds can_bus/ (default: the root)')
    parser.add_argument('--max-sweeps', type=int, default=10, help='earlier LiDAR sweeps per sample (default: 10)')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the converter; errors of the user are one line, without a traceback."""
    args = parse_args(argv)
    from bevdistill.datasets.infos import create_nuscenes_infos

    try:
        create_nuscenes_infos(args.root_path, args.version, args.out_dir, args.canbus_root, args.max_sweeps)
    except (ValueError, FileNotFoundError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
