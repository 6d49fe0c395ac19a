#!/usr/bin/env python
"""Test a checkpoint with the metrics of a config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import add_run, config_of, make_parser, mistakes_in_words

EXAMPLES = """
examples:
  # score the predictions; logs and metrics go to work_dirs/<config name>/<time>/
  tools/test.py configs/bevdistill/bevdistill_r50_1x_nus-3d.py work_dirs/bevdistill_r50_1x_nus-3d/epoch_24.pth

  # also draw predictions and ground truth in the cameras and from above
  tools/test.py CONFIG CHECKPOINT --show-dir pictures

  # the test server: v1.0-test has no annotations, so write <work dir>/predictions/pred_instances_3d/results_nusc.json
  # without scoring; use_external=True where data beyond nuScenes were used
  tools/test.py CONFIG CHECKPOINT --format-only --cfg-options test_evaluator.use_external=False \\
      test_dataloader.dataset.ann_file=nuscenes_infos_test.pkl test_evaluator.ann_file=nuscenes_infos_test.pkl

  # change entries of the config; a key that does not exist is an error
  tools/test.py CONFIG CHECKPOINT --cfg-options test_dataloader.batch_size=4

  # several processes
  torchrun --nproc_per_node=8 tools/test.py CONFIG CHECKPOINT --launcher pytorch
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--show-dir', metavar='DIR', help='draw predictions into this folder')
    parser.add_argument('--format-only', action='store_true', help='write predictions, do not score them')
    add_run(parser, 'logs and metrics')
    return parser.parse_args()


def main() -> None:
    """Parse, build, run."""
    args = parse_args()
    from bevdistill.checkpoints.find import existing_checkpoint
    from bevdistill.engine.launch import check_test_split, run_testing, set_format_only, set_show_dir

    with mistakes_in_words('test.py'):
        cfg = config_of(args)
        check_test_split(cfg)
        checkpoint = existing_checkpoint(args.checkpoint)
        if args.format_only:
            set_format_only(cfg)
        if args.show_dir:
            set_show_dir(cfg, args.show_dir)
    with mistakes_in_words('test.py', ConnectionError):
        run_testing(cfg, checkpoint)


if __name__ == '__main__':
    main()
