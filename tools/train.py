#!/usr/bin/env python
"""Train a model from a config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

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

  # several processes on one machine, with GPUs or without
  torchrun --nproc_per_node=8 tools/train.py CONFIG --launcher pytorch
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', metavar='DIR', help='folder of logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint; without a value, or with "auto", from the newest one in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision (needs a GPU)')
    parser.add_argument('--seed', type=int, metavar='N', help='seed of weights, data order and augmentation')
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
    from bevdistill.engine.launch import load_config, run_training, set_amp, set_resume, set_seed
    from bevdistill.engine.overrides import parse_overrides

    try:
        cfg = load_config(args.config, parse_overrides(args.cfg_options), args.work_dir, args.launcher)
        set_resume(cfg, args.resume)
        if args.amp:
            set_amp(cfg)
        if args.seed is not None:
            set_seed(cfg, args.seed)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'train.py: error: {error}')
    run_training(cfg)


if __name__ == '__main__':
    main()
