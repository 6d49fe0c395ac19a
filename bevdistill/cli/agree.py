"""Measure how much of a teacher's BEV map is in a student's, at objects and elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from bevdistill.checkpoints.existing import existing_checkpoint

from .arguments import above_zero, add_overrides, add_samples, chosen
from .loading import load_libraries, read_config_of
from .text_tables import markdown_table

if TYPE_CHECKING:
    from torch import Tensor

    from bevdistill.distillers.map_shares import MapMoments
    from bevdistill.visualization import View

HELP = "how much of a teacher's BEV map is in a student's"
EXAMPLES = """
examples:
  # what distillation changed: a student before and after, on 60 samples of the test data
  bevdistill agree TEACHER_CONFIG TEACHER_CHECKPOINT STUDENT_CONFIG STUDENT_CHECKPOINT --num 60
  bevdistill agree TEACHER_CONFIG TEACHER_CHECKPOINT DISTILLER_CONFIG CHECKPOINT [CHECKPOINT ...] --num 60

Shares of the variance of the teacher's features, 1 for all of it: "as it is" by the student's map itself (negative: the
mean would be nearer), "linear" by a linear map of it that is fitted on other samples. At objects cells count by a
Gaussian around each centre; elsewhere all that it leaves. Both learn from the same labels, so an undistilled student
has a share too.
"""
HEAD = ('checkpoint', 'samples', 'at objects, as it is', 'linear', 'elsewhere, as it is', 'linear')
LEAST_WEIGHT = 0.01
"""Cells whose Gaussian is below it are elsewhere."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('teacher_config', help="teacher's config file")
    parser.add_argument('teacher_checkpoint', help="teacher's checkpoint file")
    parser.add_argument('config', help='config file of a student or a distiller')
    parser.add_argument('checkpoint', nargs='+', help='its checkpoint files, a row each')
    parser.add_argument(
        '--sigma', type=above_zero, default=1.0, metavar='CELLS', help='width of the Gaussians, cells (default: 1)'
    )
    add_samples(parser, '--token')
    parser.add_argument('--data-root', metavar='DIR', help='data root of both, in place of that of their configs')
    add_overrides(parser, "the student's config")


def run(args: argparse.Namespace) -> None:
    """Measure, after a mistake in the config or its overrides has been reported."""
    read_config_of(args)
    for checkpoint in (args.teacher_checkpoint, *args.checkpoint):
        existing_checkpoint(checkpoint)
    load_libraries()
    from mmengine.device import get_device

    from bevdistill.engine.overrides import parse_overrides
    from bevdistill.visualization import ModelViewer

    common = dict(data_root=args.data_root, device=get_device())
    teacher = ModelViewer(args.teacher_config, args.teacher_checkpoint, 'teacher', **common)
    indices = [teacher.position(token) for token in args.token] or chosen(args, len(teacher.dataset))
    if len(indices) < 2:
        raise ValueError('expected two samples or more: a linear map is fitted on one half and judged on the other')
    overrides = parse_overrides(args.cfg_options)
    students = [ModelViewer(args.config, name, 'student', overrides=overrides, **common) for name in args.checkpoint]
    moments: list[list[tuple[MapMoments, MapMoments]]] = [[] for _ in students]
    for index in tqdm(indices, desc='samples', disable=None):
        taught = teacher.view(index)
        for student, parts in zip(students, moments, strict=True):
            parts.append(moments_of(student.view(student.position(taught.frame.token)), taught, args.sigma))
    rows = [(name, str(len(indices)), *shares(parts)) for name, parts in zip(args.checkpoint, moments, strict=True)]
    print(markdown_table(HEAD, rows, right=range(1, len(HEAD))))


def shares(parts: Sequence[tuple[MapMoments, MapMoments]]) -> Iterator[str]:
    """Compute the four shares of a student from what :func:`moments_of` gave for each sample, as text."""
    from bevdistill.distillers.map_shares import share_as_it_is, share_by_linear_map

    for place in map(list, zip(*parts, strict=True)):
        yield from (f'{share:.3f}' for share in (share_as_it_is(place), share_by_linear_map(place)))


def moments_of(student: View, teacher: View, sigma: float) -> tuple[MapMoments, MapMoments]:
    """Sum over the cells at objects and over those elsewhere of one sample, the teacher's map on the student's grid."""
    from bevdistill.detection import gaussian_foreground
    from bevdistill.distillers.map_shares import MapMoments
    from bevdistill.losses.alignment import resize_map

    maps, taught = student.maps[-1], teacher.maps[-1]
    mask: Tensor = gaussian_foreground(teacher.frame.targets(maps.bev.device), maps.grid, sigma=sigma)
    teacher_map = resize_map(taught.bev[None].float(), taught.grid, maps.grid)[0]
    own_NC, taught_ND = maps.bev.flatten(1).T, teacher_map.flatten(1).T
    elsewhere = (mask < LEAST_WEIGHT).float()
    return MapMoments.of(own_NC, taught_ND, mask.flatten()), MapMoments.of(own_NC, taught_ND, elsewhere.flatten())
