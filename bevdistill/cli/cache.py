"""Write what the losses of a distillation need of its teacher to disk, once, so that training never runs it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from ..for_people import counted
from .arguments import add_data, folder, positive, whole
from .loading import config_of

HELP = "write a teacher's outputs to disk, for trainings without the teacher"
EXAMPLES = """
CONFIG is the config of a distillation: its teacher, the points of its training pipeline and its losses decide what is
computed and kept. The same command goes on where it stopped.

examples:
  # what the losses of the config want, in float16, to work_dirs/teacher_cache/<config>_train_<key>
  bevdistill cache configs/bevdistill/bevdistill_r50_1x_nus-3d.py teacher.pth

  # then train without the teacher and without LiDAR
  bevdistill train configs/bevdistill/bevdistill_r50_1x_nus-3d.py \\
      --cfg-options model.teacher_checkpoint=teacher.pth model.teacher_cache=FOLDER

  # for several configs that share the teacher: all that any of their losses reads
  bevdistill cache CONFIG teacher.pth --out /ssd/cache --taps bev states heatmap heatmap_features

  # several processes share the samples
  torchrun --nproc_per_node=8 tools/cache_teacher.py CONFIG teacher.pth --out /ssd/cache
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', help='config file of a distillation')
    parser.add_argument('checkpoint', help='weights of its teacher')
    parser.add_argument('--out', type=folder, metavar='DIR', help='folder of the cache')
    parser.add_argument('--split', choices=('train', 'val'), default='train', help='which dataloader (default: train)')
    parser.add_argument(
        '--dtype', choices=('float16', 'float32'), default='float16', help='of maps and states (default: float16)'
    )
    parser.add_argument(
        '--taps',
        nargs='*',
        choices=('bev', 'states', 'heatmap', 'heatmap_features'),
        help='what is kept beside boxes and scores (default: what the losses of the config want)',
    )
    parser.add_argument('--top-k', type=positive, metavar='K', help='keep the K best queries (default: all)')
    parser.add_argument('--batch-size', type=positive, default=4, metavar='N', help='samples at a time (default: 4)')
    parser.add_argument('--workers', type=whole, default=2, metavar='N', help='processes that load points (default: 2)')
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    """Write the cache; stopped at any point, the same command goes on."""
    try:
        write(args)
    except KeyboardInterrupt:
        print('bevdistill cache: stopped; the same command goes on where it stopped', file=sys.stderr)
        return 130
    return 0


def write(args: argparse.Namespace) -> None:
    """Write the cache and print the command that trains with it."""
    cfg = config_of(args)
    import torch

    from bevdistill.engine.devices import check_accelerator
    from bevdistill.teacher_cache import CacheWriter, TeacherCache

    if args.out is not None:
        TeacherCache(args.out).require_place()
    check_accelerator()
    if torch.cuda.is_available():
        # Tasks of Slurm may see one card each.
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count())
    writer = CacheWriter(cfg, args.checkpoint, args.split, args.taps, args.top_k, args.dtype)
    name = f'{Path(args.config).stem}_{args.split}'
    folder = args.out or writer.default_folder(Path('work_dirs') / 'teacher_cache', name)
    cache = writer.write(folder, command(args, folder), args.batch_size, args.workers)
    if cache.manifest.complete:
        options = [f'model.teacher_checkpoint={args.checkpoint}', f'model.teacher_cache={folder}', *args.cfg_options]
        root = ['--data-root', args.data_root] if args.data_root else []
        train = shlex.join(['bevdistill', 'train', args.config, *root, '--cfg-options', *options])
        print(f'complete: {counted(cache.manifest.num_samples, "sample")} in {folder}. Train with it:\n  {train}')


def command(args: argparse.Namespace, folder: Path) -> str:
    """Write down the command that goes on with a cache."""
    words = ['bevdistill', 'cache', args.config, args.checkpoint, '--out', str(folder)]
    words += ['--split', args.split, '--dtype', args.dtype]
    words += [] if args.taps is None else ['--taps', *args.taps]
    words += [] if args.top_k is None else ['--top-k', str(args.top_k)]
    words += ['--data-root', args.data_root] if args.data_root else []
    words += ['--cfg-options', *args.cfg_options] if args.cfg_options else []
    return shlex.join(words)
