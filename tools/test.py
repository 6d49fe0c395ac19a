#!/usr/bin/env python
"""Test a checkpoint with the metrics of a config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

EXAMPLES = """
examples:
  # score the predictions; logs and metrics go to work_dirs/<config name>/<time>/
  tools/test.py configs/bevdistill/bevdistill_r50_1x_nus-3d.py work_dirs/bevdistill_r50_1x_nus-3d/epoch_24.pth

  # also draw predictions and ground truth in the cameras and from above
  tools/test.py CONFIG CHECKPOINT --show-dir pictures

  # write predictions for the test server to <work dir>/predictions, without scoring
  tools/test.py CONFIG CHECKPOINT --format-only

  # change entries of the config; a key that does not exist is an error
  tools/test.py CONFIG CHECKPOINT --cfg-options test_dataloader.batch_size=4

  # several processes
  torchrun --nproc_per_node=8 tools/test.py CONFIG CHECKPOINT --launcher pytorch
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', metavar='DIR', help='folder of logs and metrics')
    parser.add_argument('--show-dir', metavar='DIR', help='draw predictions into this folder')
    parser.add_argument('--format-only', action='store_true', help='write predictions, do not score them')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help='override entries of the config; a key that does not exist is an error (see the examples)',
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    return parser.parse_args()


def main() -> None:
    """Parse, build, run."""
    args = parse_args()
    from bevdistill.engine.checkpoints import existing_checkpoint
    from bevdistill.engine.launch import load_config, run_testing, set_format_only, set_show_dir
    from bevdistill.engine.overrides import parse_overrides

    try:
        cfg = load_config(args.config, parse_overrides(args.cfg_options), args.work_dir, args.launcher)
        checkpoint = existing_checkpoint(args.checkpoint)
        if args.format_only:
            set_format_only(cfg)
        if args.show_dir:
            set_show_dir(cfg, args.show_dir)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'test.py: error: {error}')
    run_testing(cfg, checkpoint)


if __name__ == '__main__':
    main()
