"""Write a synthetic nuScenes: a procedural world in the real schema, for runs that need no download."""

from __future__ import annotations

import argparse

from .arguments import folder_name, positive, whole
from .loading import say

HELP = 'write a synthetic nuScenes'
EXAMPLES = """examples:
  # ten scenes for tests, about 10 s
  bevdistill synthetic data/tiny --preset tiny --version v1.0-mini
  # the demo: 1,600 training and 150 validation keyframes
  bevdistill synthetic data/demo --preset demo --version v1.0-trainval --seed 0
  # the same with longer drives to validate on, for temporal students
  bevdistill synthetic data/temporal --preset temporal
  # a world where depth is hard to tell, replacing an earlier one, four processes
  bevdistill synthetic data/benchmark --preset benchmark --workers 4 --overwrite
  # a test split without annotations
  bevdistill synthetic data/demo-test --preset demo --version v1.0-test
"""
# As in bevdistill.synthetic, which compiles kernels when it is imported; a test compares.
PRESETS = ('benchmark', 'demo', 'temporal', 'tiny')
VERSIONS = ('v1.0-mini', 'v1.0-trainval', 'v1.0-test')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('out', type=folder_name, help='folder to write; it appears when it is complete')
    parser.add_argument('--preset', choices=PRESETS, default='demo', help='size and difficulty (default: demo)')
    parser.add_argument(
        '--version', choices=VERSIONS, default='v1.0-trainval', help='which splits to fill (default: v1.0-trainval)'
    )
    parser.add_argument('--seed', type=whole, default=0, help='seed of everything random (default: 0)')
    parser.add_argument('--workers', type=positive, help='number of processes (default: one per processor)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier synthetic data set')


def run(args: argparse.Namespace) -> None:
    """Write the data set."""
    say(f'making {args.preset} {args.version} in {args.out}')
    from bevdistill.synthetic import make_dataset

    out = make_dataset(args.out, args.preset, args.version, args.seed, args.workers, args.overwrite)
    print(f'wrote {out}')
