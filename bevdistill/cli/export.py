"""Take a student home: its weights alone, or one program for ONNX Runtime or torch, each with a model card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..for_people import counted
from .arguments import add_overrides, file_to_write, image_side
from .loading import load_libraries, read_config_of, say

HELP = "take the student out of a distiller's checkpoint: weights, ONNX, torch.export"
PROGRAMS = ('.onnx', '.pt2')
EXAMPLES = """
examples:
  # a checkpoint of the student alone: weights and meta data, no optimizer; student.md beside it says what it is
  bevdistill export work_dirs/bevdistill_r50_1x_nus-3d/epoch_12.pth student.pth

  # test it with the config of the plain student
  bevdistill test configs/bevformer/bevformer_r50_1x_nus-3d.py student.pth --work-dir work_dirs/distilled_student

  # ONNX for images of 900 x 1600 pixels, or torch's own format; the config is that of the student or the distiller
  bevdistill export student.pth student.onnx --config CONFIG
  bevdistill export student.pth student.pt2 --config CONFIG --image-size 900 1600

docs/deployment.md describes inputs and outputs, with a loop that needs numpy and onnxruntime alone.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('checkpoint', type=Path, help='checkpoint of a distiller; for .onnx and .pt2 also of a student')
    parser.add_argument('out', type=file_to_write, help='file to write; .onnx and .pt2 are programs, all else weights')
    parser.add_argument('--force', action='store_true', help='overwrite files that exist')
    parser.add_argument('--config', help='config of the student or distiller, for .onnx and .pt2')
    parser.add_argument(
        '--image-size',
        nargs=2,
        type=image_side,
        default=(900, 1600),
        metavar=('HEIGHT', 'WIDTH'),
        help='of the camera images before the config resizes them, for .onnx and .pt2 (default: 900 1600)',
    )
    add_overrides(parser)


def run(args: argparse.Namespace) -> None:
    """Write the student and its card, and report what was written."""
    card = args.out.with_suffix('.md')
    if len({path.resolve() for path in (args.checkpoint, args.out, card)}) < 3:
        raise ValueError(f'checkpoint, {args.out} and {card}, the card of what is written, must be different files')
    for path in (args.out, card):
        if path.exists() and not args.force and not _is_card(path, args.out.name):
            raise FileExistsError(f'{path} exists; give --force to overwrite it')
    if args.out.suffix in PROGRAMS:
        if args.config is None:
            raise ValueError(f'{args.out}: a program needs the model: give --config CONFIG')
        _export_program(args, card)
    else:
        if args.config is not None or args.cfg_options:
            raise ValueError(f'{args.out} holds weights alone; --config and --cfg-options are for .onnx and .pt2')
        _export_weights(args, card)


def _is_card(path: Path, name: str) -> bool:
    """Whether a file is the card that an earlier export of this name wrote."""
    return path.suffix == '.md' and path.read_bytes().startswith(f'# {name}\n'.encode())


def _export_weights(args: argparse.Namespace, card: Path) -> None:
    say(f'loading PyTorch to read {args.checkpoint} ...')
    from bevdistill.checkpoints.find import save_checkpoint
    from bevdistill.checkpoints.student_export import export_student, read_checkpoint

    checkpoint = read_checkpoint(args.checkpoint)
    student = export_student(checkpoint, str(args.checkpoint))
    save_checkpoint(student, args.out)
    left = len(checkpoint['state_dict']) - len(student['state_dict'])
    which = 'averaged weights (EMA)' if 'ema_state_dict' in checkpoint else 'weights'
    count = len(student['state_dict'])
    _write_card(args, card, student['meta'], [f'Weights of a student, {count} tensors, for its plain config.'])
    print(f'{args.out}: {which} of the student, {counted(count, "tensor")}; {left} of distillation heads left out')


def _export_program(args: argparse.Namespace, card: Path) -> None:
    read_config_of(args)
    load_libraries()
    from bevdistill.apis import init_student
    from bevdistill.apis.onnx_export import staged_size, write_program
    from bevdistill.engine.overrides import parse_overrides

    student = init_student(args.config, args.checkpoint, overrides=parse_overrides(args.cfg_options))
    size = staged_size(student, args.image_size)
    say('exporting ...')
    write_program(student, size, args.out)
    cameras = f'{counted(student.num_cameras, "camera")} of {size[0]} x {size[1]} pixels, batch 1'
    history = 'takes the previous BEV map' if student.uses_history else 'no history'
    notes = [f'Student as a program: {cameras}, {history}; inputs and outputs: docs/deployment.md.']
    _write_card(args, card, student.meta, notes)
    print(f'{args.out}: {args.out.stat().st_size / 2**20:.1f} MiB; {cameras}, {history}')


def _write_card(args: argparse.Namespace, card: Path, meta: Any, notes: list[str]) -> None:
    from bevdistill.apis.model_card import metrics_of, model_card
    from bevdistill.checkpoints.whole_file import write_whole

    text = model_card(args.out.name, args.checkpoint, meta, notes, metrics_of(args.checkpoint))
    write_whole(text.encode(), card)
