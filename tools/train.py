#!/usr/bin/env python
"""Train a model from a config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import add_run, config_of, make_parser, mistakes_in_words

EXAMPLES = """
examples:
  # train; checkpoints and logs go to work_dirs/<config name>
  tools/train.py configs/bevdistill/bevdistill_r50_1x_nus-3d.py

  # go on where the newest checkpoint of the work dir ends, or start if there is none
  tools/train.py CONFIG --work-dir runs/a --resume

  # change entries of the config; lists by index or in brackets; a leading + adds a key that is not there
  tools/train.py CONFIG --cfg-options optim_wrapper.optimizer.lr=1e-4 param_scheduler.0.end=100 \\
      train_dataloader.batch_size=2 +find_unused_parameters=True

  # replace a whole dict: empty it, then fill it
  tools/train.py CONFIG --cfg-options optim_wrapper.optimizer._delete_=True \\
      optim_wrapper.optimizer.type=SGD optim_wrapper.optimizer.lr=0.1

  # several processes on one machine, with GPUs or without; docs/clusters.md has more
  torchrun --nproc_per_node=8 tools/train.py CONFIG --launcher pytorch
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint; without a value, or with "auto", from the newest one in the work dir',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='float16',
        choices=('float16', 'bfloat16'),
        help='automatic mixed precision: float16 with a dynamic loss scale, which needs a GPU (default), or bfloat16',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by samples per step (processes x batch size) over the config's own number",
    )
    parser.add_argument('--seed', type=int, metavar='N', help='seed of weights, data order and augmentation')
    add_run(parser, 'logs and checkpoints')
    return parser.parse_args()


def main() -> None:
    """Parse, build, run."""
    args = parse_args()
    from bevdistill.engine import UntrainableError, keep_freed_memory
    from bevdistill.engine.launch import run_training, set_amp, set_auto_scale_lr, set_resume, set_seed

    with mistakes_in_words('train.py'):
        cfg = config_of(args)
        set_resume(cfg, args.resume)
        if args.amp:
            set_amp(cfg, args.amp)
        if args.auto_scale_lr:
            set_auto_scale_lr(cfg)
        if args.seed is not None:
            set_seed(cfg, args.seed)
    keep_freed_memory()
    with mistakes_in_words('train.py', ConnectionError, UntrainableError):
        run_training(cfg)


if __name__ == '__main__':
    main()
