"""Convert a public checkpoint of the original authors into one of this package, once."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import file_to_write
from .loading import say
from .text_tables import text_table

HELP = 'convert a public checkpoint of the original authors'
# As in bevdistill.checkpoints.KINDS, which imports torch; a test compares.
KINDS = ('bevformer', 'bevdistill-student', 'bevdistill-teacher', 'object-dgcnn', 'distiller')
EXAMPLES = """
kinds:
  bevformer            BEVFormer, or the undistilled student of BEVDistill
  bevdistill-student   the student of BEVDistill with its heatmap, names without a prefix
  bevdistill-teacher   the LiDAR teacher of BEVDistill
  object-dgcnn         Object-DGCNN with graph attention
  distiller            a training run of BEVDistill: student, teacher and contrastive head in one file

What is converted: box convention (mmdet3d < 1.0 to today's), class order, names, layout of sparse kernels. Nothing that
the file holds is run while it is read. A file that is converted already, or of another kind, is refused.

examples:
  # BEVFormer of its authors
  bevdistill convert bevformer_tiny_epoch_24.pth bevformer_tiny.pth --kind bevformer
  bevdistill test configs/bevformer/bevformer_tiny_24e_released_nus-3d.py bevformer_tiny.pth

  # a LiDAR teacher, for model.teacher_checkpoint
  bevdistill convert epoch_20.pth teacher.pth --kind bevdistill-teacher

  # a training run of BEVDistill: student and heads in one file, its teacher in another
  bevdistill convert epoch_24.pth bevdistill.pth --kind distiller --teacher-out teacher.pth
  bevdistill test configs/bevdistill/bevdistill-t_r50_2x_released_nus-3d.py bevdistill.pth \\
      --cfg-options model.teacher_checkpoint=teacher.pth
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('source', metavar='IN', type=Path, help='checkpoint of the original code')
    parser.add_argument('out', metavar='OUT', type=file_to_write, help='file to write')
    parser.add_argument('--kind', required=True, choices=KINDS, help='what the checkpoint is of, see below')
    parser.add_argument('--teacher-out', metavar='FILE', type=file_to_write, help="a distiller's teacher goes here")
    parser.add_argument('--verbose', action='store_true', help='a line for every tensor')
    parser.add_argument('--force', action='store_true', help='overwrite files that exist')


def run(args: argparse.Namespace) -> None:
    """Convert, and report what was done."""
    check_targets(args)
    say(f'loading PyTorch and MMDetection3D to read {args.source} ...')
    from bevdistill.checkpoints.official import conversion_lines, conversion_rows, convert_file

    result = convert_file(
        args.source, args.out, args.kind, args.teacher_out, lambda line: print(f'{line} ...', flush=True)
    )
    table = text_table(conversion_rows(result.conversion), right=(1,), indent=0)
    print(conversion_lines(result.conversion) if args.verbose else table)
    print('\n'.join(result.notes))
    if result.config:
        print(f'belongs to {result.config}')


def check_targets(args: argparse.Namespace) -> None:
    """Complain about a file that is not there, and about files that would be overwritten.

    Raises:
        FileNotFoundError: If there is no file to convert.
        FileExistsError: If a file to write exists and `--force` is not given.
        ValueError: If two of the files are one.
    """
    targets = [path for path in (args.out, args.teacher_out) if path is not None]
    from bevdistill.checkpoints.existing import existing_checkpoint

    if len({path.resolve() for path in (args.source, *targets)}) <= len(targets):
        raise ValueError('IN, OUT and --teacher-out must be different files')
    existing_checkpoint(str(args.source))
    for path in targets:
        if path.exists() and not args.force:
            raise FileExistsError(f'{path} exists; give --force to overwrite it')
