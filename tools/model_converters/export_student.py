#!/usr/bin/env python
"""Take the student out of a distiller's checkpoint, for use with the plain student config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.command_line import make_parser, mistakes_in_words

EXAMPLES = """
examples:
  # a checkpoint of the student alone: weights and meta data, no optimizer
  tools/model_converters/export_student.py work_dirs/bevdistill_r50_1x_nus-3d/epoch_24.pth student.pth

  # test it with the config of the plain student
  tools/test.py configs/bevformer/bevformer_r50_1x_nus-3d.py student.pth
"""
STUDENT = 'student.'
HEADS = 'losses.'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, EXAMPLES)
    parser.add_argument('checkpoint', type=Path, help='checkpoint of a distiller')
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument('--force', action='store_true', help='overwrite the file if it exists')
    return parser.parse_args()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint as plain data.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as plain data, or holds no weights by name.
    """
    if not path.is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # The reader of a file that is no checkpoint can fail in any way.
        first = f'{type(error).__name__}: {error!s}'.splitlines()[0]
        raise ValueError(f'{path} is not a checkpoint of plain data, as this package writes them ({first})') from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get('state_dict'), dict):
        raise ValueError(f"{path} has no 'state_dict': it is not a checkpoint of a training run")
    return checkpoint


def export_student(checkpoint: dict[str, Any], source: str) -> dict[str, Any]:
    """Weights of the student under their plain names, with the checkpoint's meta data.

    Of a run with mmengine's ``EMAHook`` these are the averaged ones, which it keeps there and scores.

    Args:
        checkpoint: A distiller's checkpoint: weights named ``student.*`` and, for its heads, ``losses.*``.
        source: Name of the checkpoint, for errors.

    Returns:
        ``meta`` and ``state_dict``. ``meta['bevdistill']`` keeps the teacher's identity.

    Raises:
        ValueError: If it is not a checkpoint of a distiller.
    """
    from bevdistill.checkpoints import weights_below

    weights = checkpoint['state_dict']
    foreign = [name for name in weights if not name.startswith((STUDENT, HEADS))]
    student = weights_below(weights, STUDENT)
    if foreign or not student:
        found = sorted({name.split('.')[0] for name in weights})
        raise ValueError(
            f"{source} is not a checkpoint of a distiller: expected weights under 'student.' and 'losses.', found them "
            f'under {found}. A plain detector needs no export'
        )
    return {'meta': checkpoint.get('meta', {}), 'state_dict': student}


def main() -> None:
    """Parse, convert, say what was written."""
    args = parse_args()
    from bevdistill.checkpoints.find import save_checkpoint

    with mistakes_in_words('export_student.py', OSError, ValueError):
        if args.out.exists() and not args.force:
            raise FileExistsError(f'{args.out} exists; give --force to overwrite it')
        checkpoint = read_checkpoint(args.checkpoint)
        student = export_student(checkpoint, str(args.checkpoint))
    save_checkpoint(student, args.out)
    left = len(checkpoint['state_dict']) - len(student['state_dict'])
    which = 'averaged weights (EMA)' if 'ema_state_dict' in checkpoint else 'weights'
    count = len(student['state_dict'])
    print(f'{args.out}: {which} of the student, {count} tensors; {left} of distillation heads left out')


if __name__ == '__main__':
    main()
