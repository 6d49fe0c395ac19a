"""Train a model from a config."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .arguments import add_run, errors_of, whole
from .loading import config_of

if TYPE_CHECKING:
    from mmengine.config import Config

HELP = 'train a model from a config'
EXAMPLES = """
examples:
  # train; checkpoints and logs go to work_dirs/<config name>
  bevdistill train configs/bevformer/bevformer_r50_1x_nus-3d.py

  # data elsewhere, and the teacher of a distillation
  bevdistill train configs/bevdistill/bevdistill_r50_1x_nus-3d.py --data-root /data/nuscenes \\
      --cfg-options model.teacher_checkpoint=FILE

  # go on where the newest checkpoint of the work dir ends, or start if there is none
  bevdistill train CONFIG --work-dir runs/a --resume

  # change entries of the config; lists by index or in brackets; a leading + adds a key that is not there;
  # spaces stay in a value, and quotes inside keep its commas: "key='my data/a, b'"
  bevdistill train CONFIG --cfg-options optim_wrapper.optimizer.lr=1e-4 param_scheduler.0.end=100 \\
      train_dataloader.batch_size=2 +optim_wrapper.accumulative_counts=2

  # leave a loss of a distillation out
  bevdistill train configs/bevdistill/bevdistill_r50_1x_nus-3d.py \\
      --cfg-options model.teacher_checkpoint=FILE model.losses.dense=None

  # log to TensorBoard too; docs/keeping_the_best.md has more
  bevdistill train CONFIG --cfg-options \\
      "visualizer.vis_backends=[dict(type='LocalVisBackend'),dict(type='TensorboardVisBackend')]"

  # replace a whole dict: empty it, then fill it
  bevdistill train CONFIG --cfg-options optim_wrapper.optimizer._delete_=True \\
      optim_wrapper.optimizer.type=SGD optim_wrapper.optimizer.lr=0.1

  # several processes on one machine, with GPUs or without; docs/clusters.md has more
  torchrun --nproc_per_node=8 tools/train.py CONFIG --launcher pytorch
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
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
    parser.add_argument(
        '--sync_bn', '--sync-bn', choices=('none', 'torch', 'mmcv'), default='none',
        help='share the statistics of batch norms between processes, by torch or by mmcv (default: none)',
    )  # fmt: skip
    parser.add_argument('--seed', type=whole, metavar='N', help='seed of weights, data order and augmentation')
    add_run(parser, 'logs and checkpoints')


def run(args: argparse.Namespace) -> None:
    """Train."""
    cfg = config_of(args)
    from bevdistill.engine.host_memory import keep_freed_memory
    from bevdistill.engine.launch import run_training

    apply_options(cfg, args)
    keep_freed_memory()
    run_training(cfg)


def apply_options(cfg: Config, args: argparse.Namespace) -> None:
    """Change a config as the options of the command line say."""
    from bevdistill.engine.settings import set_amp, set_auto_scale_lr, set_resume, set_seed

    if args.resume is not None and set_resume(cfg, args.resume) is None:
        print(f'--resume: no checkpoint in {cfg.work_dir} yet, starting from the beginning')
    if args.amp:
        with errors_of('--amp'):
            set_amp(cfg, args.amp)
    if args.auto_scale_lr:
        with errors_of('--auto-scale-lr'):
            set_auto_scale_lr(cfg)
    if args.sync_bn != 'none':
        cfg.sync_bn = args.sync_bn
    if args.seed is not None:
        set_seed(cfg, args.seed)
