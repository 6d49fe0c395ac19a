"""Take the student out of a distiller's checkpoint, for use with the plain student config."""

from __future__ import annotations

import argparse
from pathlib import Path

from .loading import say

HELP = "take the student out of a distiller's checkpoint"
EXAMPLES = """
examples:
  # a checkpoint of the student alone: weights and meta data, no optimizer
  bevdistill export work_dirs/bevdistill_r50_1x_nus-3d/epoch_12.pth student.pth

  # test it with the config of the plain student
  bevdistill test configs/bevformer/bevformer_r50_1x_nus-3d.py student.pth --work-dir work_dirs/distilled_student
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('checkpoint', type=Path, help='checkpoint of a distiller')
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument('--force', action='store_true', help='overwrite the file if it exists')


def run(args: argparse.Namespace) -> None:
    """Write the student, and report what was written."""
    if args.out.exists() and not args.force:
        raise FileExistsError(f'{args.out} exists; give --force to overwrite it')
    say(f'loading PyTorch to read {args.checkpoint} ...')
    from bevdistill.checkpoints.find import save_checkpoint
    from bevdistill.checkpoints.student_export import export_student, read_checkpoint

    checkpoint = read_checkpoint(args.checkpoint)
    student = export_student(checkpoint, str(args.checkpoint))
    save_checkpoint(student, args.out)
    left = len(checkpoint['state_dict']) - len(student['state_dict'])
    which = 'averaged weights (EMA)' if 'ema_state_dict' in checkpoint else 'weights'
    count = len(student['state_dict'])
    print(f'{args.out}: {which} of the student, {count} tensors; {left} of distillation heads left out')
