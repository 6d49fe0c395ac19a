"""Draw report pages of a model: cameras and bird's-eye view with boxes, foreground mask, BEV maps."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_data, add_samples, spread
from .loading import load_libraries, read_config_of

HELP = 'pages of a model: boxes in cameras and from above, mask, BEV maps'
EXAMPLES = """
examples:
  # a student, a teacher or a distiller; four samples spread over the test data
  bevdistill show model CONFIG CHECKPOINT --out pictures --num 4

  # a student, with the BEV maps of a teacher beside its own
  bevdistill show model CONFIG CHECKPOINT --teacher TEACHER_CONFIG TEACHER_CHECKPOINT --out pictures

  # a teacher, with those of a student
  bevdistill show model CONFIG CHECKPOINT --student STUDENT_CONFIG STUDENT_CHECKPOINT --out pictures

  # one sample
  bevdistill show model CONFIG CHECKPOINT --token 0123456789abcdef --out pictures

Ground truth is white, predictions have the colour of their class. A distiller shows its student, and its teacher's maps
if the teacher's weights are still where they were when it was trained.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of the pictures')
    add_samples(parser, '--token')
    beside = parser.add_mutually_exclusive_group()
    names = ('CONFIG', 'CHECKPOINT')
    beside.add_argument('--teacher', nargs=2, metavar=names, help='show the BEV maps of this teacher too')
    beside.add_argument('--student', nargs=2, metavar=names, help='show the BEV maps of this student too')
    parser.add_argument('--title', help='what the pages call the model (default: the name of its config)')
    parser.add_argument('--threshold', type=float, default=0.2, help='draw predictions from this score (default: 0.2)')
    add_data(parser, 'the first config')


def run(args: argparse.Namespace) -> None:
    """Draw, after a mistake in the config or its overrides has been reported."""
    read_config_of(args)
    draw(args)


def draw(args: argparse.Namespace) -> list[Path]:
    """Draw the pages and return their paths."""
    load_libraries()
    from dataclasses import replace

    from mmengine.device import get_device

    from bevdistill.engine.overrides import parse_overrides
    from bevdistill.visualization import ModelViewer, Page, report_page, save_figure

    common = dict(data_root=args.data_root, device=get_device())
    role = 'teacher' if args.student else 'student' if args.teacher else None
    options = parse_overrides(args.cfg_options)
    model = ModelViewer(args.config, args.checkpoint, role, overrides=options, **common)
    other = None
    if args.teacher or args.student:
        config, checkpoint = args.teacher or args.student
        other = ModelViewer(config, checkpoint, 'teacher' if args.teacher else 'student', **common)
    total = len(model.dataset)
    indices = [model.position(token) for token in args.token] or spread(args.num, total)
    paths = []
    for index in indices:
        view = model.view(index)
        maps = {maps.name: maps for maps in view.maps}
        if other is not None:
            beside = other.view(other.position(view.frame.token))
            maps |= {maps.name: maps for maps in beside.maps if maps.name == other.role}
            view = replace(view, frame=view.frame.filled_from(beside.frame))
        ordered = sorted(maps.values(), key=lambda entry: entry.name != 'teacher')
        name = args.title or Path(args.config).stem
        page = Page(
            title=f'{name} · sample {view.frame.token[:8]}',
            frame=view.frame,
            grid=model.detector.grid,
            classes=model.classes,
            predictions=view.predictions,
            maps=ordered,
            note=f'{Path(args.checkpoint).name}, test sample {index} of {total}',
            threshold=args.threshold,
            foreground_of=model.role,
        )
        paths.append(save_figure(report_page(page), args.out / f'{index:05d}_{view.frame.token[:8]}.png'))
        print(f'saved {paths[-1]}', flush=True)
    return paths
