#!/usr/bin/env python
"""Write a synthetic nuScenes: a procedural world in the real schema, for runs that need no download."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bevdistill.synthetic import PRESETS, VERSIONS, make_dataset

EXAMPLES = """examples:
  # ten scenes for tests, about 10 s
  python tools/make_synthetic_nuscenes.py data/tiny --preset tiny --version v1.0-mini
  # the demo: 1,600 training and 150 validation keyframes
  python tools/make_synthetic_nuscenes.py data/demo --preset demo --version v1.0-trainval --seed 0
  # the same with longer drives to validate on, for temporal students
  python tools/make_synthetic_nuscenes.py data/temporal --preset temporal
  # a world where depth is hard to tell, replacing an earlier one, four processes
  python tools/make_synthetic_nuscenes.py data/benchmark --preset benchmark --workers 4 --overwrite
  # a test split without annotations
  python tools/make_synthetic_nuscenes.py data/demo-test --preset demo --version v1.0-test
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', help='folder to write; it appears when it is complete')
    parser.add_argument('--preset', choices=sorted(PRESETS), default='demo', help='size and difficulty (default: demo)')
    parser.add_argument(
        '--version', choices=VERSIONS, default='v1.0-trainval', help='which splits to fill (default: v1.0-trainval)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of everything random (default: 0)')
    parser.add_argument('--workers', type=int, help='number of processes (default: one per processor)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier synthetic data set')
    return parser.parse_args()


def main() -> int:
    """Run the tool; returns the exit status."""
    args = parse_args()
    try:
        out = make_dataset(args.out, args.preset, args.version, args.seed, args.workers, args.overwrite)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'wrote {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
