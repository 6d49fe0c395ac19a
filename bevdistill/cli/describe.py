"""Describe a config without data: parameters, FLOPs, taps, losses with their weights and schedules."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..for_people import counted
from .arguments import add_overrides, image_side, require_json
from .loading import config_of, say
from .text_tables import short_count, text_table

HELP = 'parameters, FLOPs, taps, losses and weights of a config, without data'
EXAMPLES = """
examples:
  # a student, a teacher or a distiller
  bevdistill describe configs/bevdistill/bevdistill_r50_1x_nus-3d.py

  # at once: counting FLOPs runs every side on images of full size, which takes a minute or more on a CPU
  bevdistill describe CONFIG --no-flops

  # a CPU-sized config, whose images are smaller than nuScenes'
  bevdistill describe configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py --image-size 64 176

FLOPs are multiply-adds of one frame in testing on made-up images and points: convolutions (deformable ones too), matrix
products, normalisation and bilinear sampling, without element-wise operations. Those of attention to the cameras depend
on where the cameras look, those of voxels on the points.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--no-flops', action='store_true', help='leave out FLOPs; nothing is run then')
    parser.add_argument(
        '--image-size', nargs=2, type=image_side, default=(900, 1600), metavar=('HEIGHT', 'WIDTH'),
        help="pixels of an image on disk, at least 32 32 (default: 900 1600, nuScenes')",
    )  # fmt: skip
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the facts to this file too')
    add_overrides(parser)


def announce(side: str) -> None:
    """Say on stderr that the FLOPs of a side are being counted."""
    say(f'counting FLOPs of the {side}; --no-flops leaves them out')


def run(args: argparse.Namespace) -> None:
    """Build the model and print the facts."""
    if args.json is not None:
        require_json(args.json, '--json')
    cfg = config_of(args)
    from ..apis.model_facts import describe
    from ..checkpoints.whole_file import write_whole

    facts = {'config': args.config, **describe(cfg, tuple(args.image_size), not args.no_flops, announce)}
    if args.json is not None:
        write_whole((json.dumps(facts, indent=2) + '\n').encode(), args.json)
    blocks = [side_text(side, side_facts) for side, side_facts in facts['sides'].items()]
    print('\n\n'.join([f'{args.config}: {facts["model"]}', *blocks, taps_text(facts), losses_text(facts)]))


def side_text(side: str, facts: Mapping[str, Any]) -> str:
    """Describe one detector: grid, parameters and FLOPs by part, own losses."""
    grid, flops = facts['grid'], facts.get('flops')
    metres = (grid['point_cloud_range'][3] - grid['point_cloud_range'][0]) / grid['cols']
    frames = f', {counted(facts["queue_length"], "frame")} in training' if facts['queue_length'] > 1 else ''
    lines = [
        f'{side}: {facts["type"]}, {grid["rows"]} x {grid["cols"]} cells of {metres:.4g} m, '
        f'{counted(facts["num_classes"], "class")}{frames}'
    ]
    rows = [['part', 'parameters', 'trained', *(['FLOPs'] if flops else [])]]
    for name, count in facts['parameters'].items():
        label = 'all' if not name else '  ' * (name.count('.') + 1) + name.rpartition('.')[2]
        numbers = [count['all'], count['trained'], *([flops['by_module'].get(name, 0)] if flops else [])]
        rows.append([label, *map(short_count, numbers)])
    lines.append(text_table(rows, right=(1, 2, 3)))
    if flops:
        seen = 'points' if flops['image'] is None else '{} images of {} x {}'.format(*flops['image'])
        missing = f'; not counted: {", ".join(flops["not_counted"])}' if flops['not_counted'] else ''
        lines.append(f'  FLOPs: multiply-adds of one frame in testing, from {seen}{missing}')
    lines.append('  losses of its own: ' + ', '.join(
        f'{name.rpartition("pts_bbox_head.")[2]} {loss["type"]} x {loss["weight"]:g}'
        for name, loss in facts['losses'].items()
    ))
    return '\n'.join(lines)


def taps_text(facts: Mapping[str, Any]) -> str:
    """Tabulate which side offers which tap, and who wants it."""
    sides = facts['sides']
    taps = list(dict.fromkeys(tap for side in sides.values() for tap in side['taps']))
    rows = [['tap', *sides, *(['wanted by'] if facts['losses'] else [])]]
    for tap in taps:
        row = [tap, *('yes' if tap in side['taps'] else '-' for side in sides.values())]
        if facts['losses']:
            wants = [
                f'{loss["name"]} ({", ".join(ours)})'
                for loss in facts['losses']
                if (ours := [side for side in sides if f'{side}.{tap}' in loss['wants']])
            ]
            row.append(', '.join(wants) or '-')
        rows.append(row)
    return 'taps\n' + text_table(rows)


def losses_text(facts: Mapping[str, Any]) -> str:
    """List the losses of distillation with weight, schedule, taps and options."""
    lines = ['losses of distillation' if facts['losses'] else 'losses of distillation: none']
    for loss in facts['losses']:
        schedule = 'constant' if loss['constant'] else ', '.join(f'{k} {v:g}' for k, v in loss['schedule'].items())
        terms = ''.join(f'; {term} x {weight:g}' for term, weight in loss['terms'].items())
        lines += [
            f'  {loss["name"]}: {loss["type"]} x {loss["weight"]:g}{terms}',
            f'    schedule    {schedule}',
            f'    taps        {", ".join(loss["wants"]) or "none: its weight is 0, it is not built"}',
            f'    parameters  {short_count(loss["parameters"])}',
            f'    options     {option_text(loss["options"])}',
        ]
    if 'init_from_teacher' in facts:
        lines.append(f'start from the teacher: {", ".join(facts["init_from_teacher"]) or "nothing"}')
        named = facts['teacher_checkpoint'] or 'to be named, model.teacher_checkpoint=FILE'
        lines.append(f'teacher checkpoint: {named}')
        lines.append(f'frames without labels: {unlabelled_text(facts["unlabelled"])}')
    return '\n'.join(lines)


def unlabelled_text(switch: Mapping[str, Any] | None) -> str:
    """Say what a distiller does with frames that have no labels."""
    if switch is None:
        return 'refused'
    boxes = f'teacher boxes above {switch["min_score"]:g}, at most {switch["max_boxes"]}, are their targets'
    if switch['weight'] == 0:
        return f'{boxes}, in the distillation losses alone'
    return f'{boxes}, in the student\'s own losses x {switch["weight"]:g}'


def option_text(options: Mapping[str, Any]) -> str:
    """Write the options of a loss on one line: ``mask=SoftForeground(sigma=2.0), channels=sum``."""

    def value(item: Any) -> str:
        if not isinstance(item, Mapping):
            return str(item)
        inner = ', '.join(f'{key}={value(entry)}' for key, entry in item.items() if key != 'type')
        return f'{item.get("type", "")}({inner})'

    return ', '.join(f'{key}={value(item)}' for key, item in options.items()) or 'none'
