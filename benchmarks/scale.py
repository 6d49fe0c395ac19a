"""Work out what many GPUs would make of a training: step time, network, loaders, disks, teacher cache. A calculation.

Nothing here was run on a GPU or a cluster. What is not counted is an assumption of `Machine`, and can be set.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from bevdistill.cli.text_tables import markdown_table

GB = 1e9


@dataclass(frozen=True)
class Machine:
    """What is assumed of the hardware.

    Args:
        tflops: Multiply-adds per second of a card in bfloat16 and TF32 mixed, 1e12, at its peak.
        share: Of the peak that a training reaches.
        overhead: Seconds of a step that do not shrink: launches, matching, logging.
        cards: Per machine.
        network: Bytes per second and direction of a machine's network, 1e9.
        link: The same between the cards of one machine, 1e9.
        cores: Of a machine.
        core_samples: Samples per second that one core loads (six images of 900 x 1600 decoded).
        disk: Bytes per second that a machine reads from storage, 1e9.
        overlap: Share of a step behind which a reduction of gradients hides: the backward pass.
    """

    tflops: float = 250.0
    share: float = 0.10
    overhead: float = 0.03
    cards: int = 8
    network: float = 25.0
    link: float = 300.0
    cores: int = 128
    core_samples: float = 4.0
    disk: float = 2.0
    overlap: float = 0.6


@dataclass(frozen=True)
class Model:
    """What is known of a config; ``bevdistill describe CONFIG`` counts the first three.

    Args:
        parameters: That are trained.
        student: Multiply-adds of one frame of the student, 1e9.
        teacher: The same of the teacher.
        frames: Of a training sample that need a gradient, and that do not.
        image_bytes: Six JPEGs of one frame.
        point_bytes: A keyframe's LiDAR points and nine sweeps, which a cache makes needless.
        cache_bytes: Of a sample in the teacher cache.
        epochs: Of the schedule on nuScenes; of a fleet one is worked out.
    """

    parameters: float
    student: float
    teacher: float
    frames: tuple[int, int]
    epochs: int
    image_bytes: float = 6 * 160e3
    point_bytes: float = 10 * 700e3
    cache_bytes: float = 9.5e6


MODELS = {
    'bevdistill_r50_1x': Model(42.9e6, 1055, 103 + 50, (1, 0), 12),
    'bevdistill-t_r50_2x': Model(42.9e6, 1061, 103 + 50, (1, 3), 24),
}
"""Counted; sparse convolutions, which nobody counts, are taken for 50: see docs/scale.md."""
DATA = {'nuScenes': 28_130, 'fleet': 100_000_000}
GPUS = (8, 64, 512)
CACHES = {
    'voxel teacher, float16': 9.5e6,
    'pillar teacher, float16': 34.6e6,
    'pillar teacher, int8': 34.6e6 / 2,
    'pillar teacher, int8, a tenth of the cells (foreground)': 34.6e6 / 20,
}


def step_seconds(model: Model, machine: Machine, cached: bool) -> float:
    """Seconds of one card for one sample.

    A backward pass costs two forward passes; frames of the history are forward only, and so is a live teacher.
    """
    trained, untrained = model.frames
    work = model.student * (3 * trained + untrained) + (0 if cached else model.teacher)
    return work * 1e9 / (machine.tflops * 1e12 * machine.share) + machine.overhead


def reduce_seconds(model: Model, machine: Machine, gpus: int) -> float:
    """Seconds of a ring reduction of float32 gradients: twice all bytes over the slowest link, less the own share."""
    speed = (machine.link if gpus <= machine.cards else machine.network) * GB
    return 2 * model.parameters * 4 * (gpus - 1) / gpus / speed


def plan(name: str, machine: Machine, gpus: int, frames: int, cached: bool) -> dict[str, Any]:
    """Work out one training with batch 1 per card: what a step takes, what it needs, and what ends first."""
    model = MODELS[name]
    alone = step_seconds(model, machine, cached)
    reduction = reduce_seconds(model, machine, gpus)
    step = max(alone, alone * (1 - machine.overlap) + reduction)
    machines = max(1, gpus // machine.cards)
    rate = gpus / step / machines  # samples per second of one machine
    images = sum(model.frames) * model.image_bytes
    read = rate * (images + (model.cache_bytes if cached else model.point_bytes)) / GB
    epochs = 1 if frames == DATA['fleet'] else model.epochs
    processes = rate * sum(model.frames) / machine.core_samples
    uses = dict(
        network=reduction / (alone * machine.overlap), loaders=processes / machine.cores, disk=read / machine.disk
    )
    busiest = max(uses, key=lambda use: uses[use])
    step *= max(1.0, uses['loaders'], uses['disk'])
    return dict(
        config=name, gpus=gpus, frames=frames, teacher='cached' if cached else 'live', step=step,
        reduction=reduction, samples=gpus / step, hours=epochs * frames / (gpus / step) / 3600,
        processes=processes, read=read, busiest=busiest, used=uses[busiest],
    )  # fmt: skip


def plans(machine: Machine) -> list[dict[str, Any]]:
    """Work out every config on every data set, with a live and a cached teacher, on each number of cards."""
    sides = product(MODELS, DATA.values(), (False, True), GPUS)
    return [plan(name, machine, gpus, frames, cached) for name, frames, cached, gpus in sides]


def tables(machine: Machine) -> str:
    """Write all tables as Markdown."""
    names = {frames: name for name, frames in DATA.items()}
    head = ('config', 'frames', 'teacher', 'GPUs', 'step, ms', 'all-reduce, ms', 'samples/s', 'hours',
            'loaders wanted', 'GB/s wanted', 'nearest to its limit')  # fmt: skip
    body = [
        [row['config'], names[row['frames']], row['teacher'], str(row['gpus']), f'{row["step"] * 1e3:.0f}',
         f'{row["reduction"] * 1e3:.1f}', f'{row["samples"]:,.0f}', f'{row["hours"]:,.1f}', f'{row["processes"]:.0f}',
         f'{row["read"]:.2f}', f'{row["busiest"]}: {row["used"]:.0%}']
        for row in plans(machine)
    ]  # fmt: skip
    caches = [
        [kind, f'{size / 1e6:.1f}', *(f'{frames * size / 1e12:,.2f}' for frames in DATA.values())]
        for kind, size in CACHES.items()
    ]
    cached = markdown_table(('teacher cache', 'MB a sample', *(f'{name}, TB' for name in DATA)), caches)
    return f'{markdown_table(head, body)}\n\n{cached}'


def main(argv: list[str] | None = None) -> None:
    """Print the assumptions and the tables, and write the plans as JSON if asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for setting in fields(Machine):
        kind, name = type(setting.default), setting.name.replace('_', '-')
        parser.add_argument(
            f'--{name}', type=kind, default=setting.default, metavar='X', help='(default: %(default)s)'
        )
    parser.add_argument('--json', type=Path, metavar='OUT', help='write assumptions and plans to this file')
    args = vars(parser.parse_args(argv))
    out, machine = args.pop('json'), Machine(**args)
    print('Assumed: ' + ', '.join(f'{name} {value:g}' for name, value in args.items()) + '\n')
    print(tables(machine))
    if out is not None:
        out.write_text(json.dumps(dict(assumed=args, plans=plans(machine)), indent=1))


if __name__ == '__main__':
    main()
