"""Draw report pages of a model: cameras and bird's-eye view with boxes, foreground mask, BEV maps."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_data, add_samples, chosen, folder, score
from .loading import check_checkpoints, load_libraries, read_config_of

if TYPE_CHECKING:
    from bevdistill.visualization import ModelViewer, Page

HELP = 'pages of a model: boxes in cameras and from above, mask, BEV maps'
EXAMPLES = """
examples:
  # a student, a teacher or a distiller; four samples spread over the test data
  bevdistill show model CONFIG CHECKPOINT --out pictures --num 4

  # a student, with the BEV maps of a teacher beside its own
  bevdistill show model CONFIG CHECKPOINT --teacher TEACHER_CONFIG TEACHER_CHECKPOINT --out pictures

  # a teacher, with those of a student
  bevdistill show model CONFIG CHECKPOINT --student STUDENT_CONFIG STUDENT_CHECKPOINT --out pictures

  # the predictions of another model beside its own, from above, in one more picture
  bevdistill show model CONFIG CHECKPOINT --beside 'not distilled' OTHER_CONFIG OTHER_CHECKPOINT --out pictures

  # every 50th sample, boxes that score 0.3 or more
  bevdistill show model CONFIG CHECKPOINT --interval 50 --score-thr 0.3 --out pictures

  # one sample
  bevdistill show model CONFIG CHECKPOINT --token 0123456789abcdef --out pictures

DIR/index.html lists the pages. Ground truth is white, predictions have the colour of their class. A distiller shows its
student, and its teacher's maps if the teacher's weights are still where they were when it was trained.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=folder, required=True, metavar='DIR', help='folder of the pictures')
    add_samples(parser, '--token')
    beside = parser.add_mutually_exclusive_group()
    names = ('CONFIG', 'CHECKPOINT')
    beside.add_argument('--teacher', nargs=2, metavar=names, help='show the BEV maps of this teacher too')
    beside.add_argument('--student', nargs=2, metavar=names, help='show the BEV maps of this student too')
    parser.add_argument(
        '--beside', nargs=3, metavar=('TITLE', *names), help='one more picture: its predictions beside the model'
    )
    parser.add_argument('--title', help='what the pages call the model (default: the name of its config)')
    parser.add_argument(
        '--score-thr', '--threshold', type=score, default=0.2, help='draw predictions from this score (default: 0.2)'
    )
    add_data(parser, 'the first config')


def run(args: argparse.Namespace) -> None:
    """Draw, after a mistake in the config or its overrides has been reported."""
    check_checkpoints(args, read_config_of(args))
    draw(args)


def draw(args: argparse.Namespace) -> list[Path]:
    """Draw the pages and return their paths."""
    load_libraries()
    from mmengine.device import get_device

    from bevdistill.datasets.infos.names import name_of_file
    from bevdistill.engine.overrides import parse_overrides
    from bevdistill.visualization import Entry, ModelViewer, report_page, save_figure, side_by_side_page, write_index

    common = dict(data_root=args.data_root, device=get_device())
    role = 'teacher' if args.student else 'student' if args.teacher else None
    model = ModelViewer(args.config, args.checkpoint, role, overrides=parse_overrides(args.cfg_options), **common)
    maps_of = other = None
    if args.teacher or args.student:
        config, checkpoint = args.teacher or args.student
        maps_of = ModelViewer(config, checkpoint, 'teacher' if args.teacher else 'student', **common)
    if args.beside:
        beside, config, checkpoint = args.beside
        other = ModelViewer(config, checkpoint, beside, **common)
    indices = [model.position(token) for token in args.token] or chosen(args, len(model.dataset))
    name, about = args.title or Path(args.config).stem, checkpoint_note(Path(args.checkpoint))
    entries: list[Entry] = []
    for index in indices:
        page = _page(args, model, maps_of, index, name, about)
        token = page.frame.token
        figures = {'': (report_page(page), page.caption())}
        if other is not None:
            pair = [(beside, other.view(other.position(token)).predictions), (name, page.predictions)]
            title = page.title.replace(name, f'{beside} | {name}', 1)
            figures['_beside'] = (side_by_side_page(replace(page, title=title), pair), title)
        for ending, (figure, caption) in figures.items():
            path = save_figure(figure, args.out / f'{index:05d}_{name_of_file(token)[:8]}{ending}.png')
            entries.append(Entry(path, caption))
            print(f'saved {path}', flush=True)
    print(f'saved {write_index(args.out, name, entries, about)}', flush=True)
    return [entry.path for entry in entries]


def _page(
    args: argparse.Namespace, model: ModelViewer, maps_of: ModelViewer | None, index: int, name: str, about: str
) -> Page:
    """Run the models on a sample and gather what its page shows."""
    from bevdistill.visualization import Page, page_title

    view = model.view(index)
    maps = {maps.name: maps for maps in view.maps}
    if maps_of is not None:
        beside = maps_of.view(maps_of.position(view.frame.token))
        maps |= {maps.name: maps for maps in beside.maps if maps.name == maps_of.role}
        view = replace(view, frame=view.frame.filled_from(beside.frame))
    return Page(
        title=page_title(name, view.frame.token, model.scene(index)),
        frame=view.frame,
        grid=model.detector.grid,
        classes=model.classes,
        predictions=view.predictions,
        maps=sorted(maps.values(), key=lambda entry: entry.name != 'teacher'),
        note=f'{about}; test sample {index} of {len(model.dataset)}',
        threshold=args.score_thr,
        foreground_of=model.role,
        pairs=view.pairs,
    )


def checkpoint_note(checkpoint: Path) -> str:
    """Name a checkpoint, with the scores of its newest test below its folder."""
    from bevdistill.apis.model_card import metrics_of

    scores = [line.removeprefix('* ') for line in metrics_of(checkpoint)] if checkpoint.is_file() else []
    return ', '.join([checkpoint.name, *scores[-2:]])
