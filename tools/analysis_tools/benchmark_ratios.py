"""Parts of benchmark.py that compare: encoder and targets against their straightforward forms, distilled steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from benchmark_clock import Run, Spread, peak_bytes, ratio
from benchmark_models import (
    Settings,
    build,
    forward,
    load,
    only,
    prepared,
    student_config,
    teacher_forward,
    training_step,
    with_cache,
    with_queue,
)

# Straightforward forms are the oracles of the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tests'))

from reference import targets as slow
from reference.bevformer_encoder import ReferenceEncoder
from reference.workload import RANGE, Workload, encoder_workload, random_targets

from bevdistill.detection import gaussian as fast
from bevdistill.structures import BEVGrid, Targets

Result = dict[str, Any]
CLASSES = 10


def entry(what: str, spread: Spread | float, target: float) -> Result:
    """A ratio beside its target; one that is counted and not timed is a number without a spread."""
    summary = spread if isinstance(spread, Spread) else Spread.of([spread])
    return dict(what=what, **vars(summary), target=target, met=summary.median <= target)


def timed(what: str, seconds: list[float], samples: int, peak: int | None = None) -> Result:
    """Seconds of a run, samples per second, and the memory that it adds."""
    spread = Spread.of(seconds)
    return dict(what=what, **vars(spread), samples_per_second=samples / spread.median, peak_bytes=peak)


def on_device(work: Workload, device: str) -> Workload:
    """An encoder and its inputs elsewhere."""
    if device == 'cpu':
        return work
    encoder = work.encoder.to(device)
    moved = []
    for argument in work.arguments:
        if isinstance(argument, torch.Tensor):
            argument = argument.detach().to(device).requires_grad_(argument.requires_grad)
        elif hasattr(argument, 'lidar2img'):
            argument = type(argument)(argument.lidar2img.to(device), argument.can_bus.to(device), argument.image_size)
        elif hasattr(argument, 'sizes'):
            argument = type(argument).of(argument.sizes, device)
        moved.append(argument)
    return Workload(encoder, tuple(moved))


def encode_and_back(encoder: torch.nn.Module, work: Workload) -> Run:
    """Forward and backward pass of an encoder, gradients of weights and inputs included."""
    leaves = [*work.leaves, *encoder.parameters()]

    def run() -> None:
        for leaf in leaves:
            leaf.grad = None
        encoder(*work.arguments).sum().backward()

    return run


def measure_encoder(settings: Settings) -> Result:
    """The encoder at BEVFormer-tiny's setting against the straightforward one with the same weights."""
    sizes = dict(rows=8, cols=8, num_layers=1, embed_dims=32) if settings.quick else {}
    work = on_device(encoder_workload(**sizes), settings.device)
    reference = ReferenceEncoder.from_module(work.encoder)
    sides = dict(ours=encode_and_back(work.encoder, work), reference=encode_and_back(reference, work))
    rounds = settings.repeats + 3
    times = settings.clock.alternate(sides, settings.repeats, lambda: settings.step(1 / rounds))
    peaks = {name: peak_bytes(run, settings.device) for name, run in sides.items()}
    faster = ratio(times, ['ours'], ['reference'])
    return dict(
        ratios=dict(
            encoder_time=entry('encoder forward + backward / straightforward', faster, 0.5),
            encoder_memory=entry('its memory / straightforward', peaks['ours'] / peaks['reference'], 0.6),
        ),
        times={
            'encoder': timed('encoder forward + backward, BEVFormer-tiny', times['ours'], 1, peaks['ours']),
            'encoder_reference': timed('the same, straightforward', times['reference'], 1, peaks['reference']),
        },
    )


def measure_targets(settings: Settings) -> Result:
    """Heatmap targets and foreground masks against loops over objects: 60 boxes in each of 8 samples."""
    torch.manual_seed(0)
    cells, boxes, batch = (16, 4, 2) if settings.quick else (128, 60, 8)
    grid = BEVGrid(RANGE, cells, cells)
    drawn = random_targets((boxes,) * batch, grid)
    drawn = Targets(*(tuple(part.to(settings.device) for part in parts) for parts in (drawn.boxes, drawn.labels)))

    def draw(module: Any) -> Run:
        def run() -> None:
            module.heatmap_targets(drawn, grid, CLASSES)
            module.gaussian_foreground(drawn, grid)
            module.gaussian_foreground(drawn, grid, sigma=1.0)
            module.hard_foreground(drawn, grid)

        return run

    sides = dict(ours=draw(fast), reference=draw(slow))
    rounds = settings.repeats + 1
    times = settings.clock.alternate(sides, settings.repeats, lambda: settings.step(1 / rounds))
    what = f'heatmap targets and masks / loop over objects ({boxes} boxes, batch {batch}, {cells} x {cells} cells)'
    return dict(
        ratios=dict(targets_time=entry(what, ratio(times, ['ours'], ['reference']), 0.05)),
        times={
            'targets': timed('heatmap targets and masks', times['ours'], batch),
            'targets_reference': timed('the same, object by object', times['reference'], batch),
        },
    )


def step_sides(settings: Settings) -> tuple[dict[str, tuple[str, Run]], int]:
    """What a training step is made of, by name: a description and a run; and the samples of a batch."""
    device, size = settings.device, 1 if settings.quick else None
    cfg = prepared(settings, settings.config)
    batch = load(cfg, size)
    images, clouds = only(batch, 'img'), only(batch, 'points')
    student, distiller = build(student_config(cfg), device), build(cfg.model, device)
    cached = with_cache(settings, cfg)
    temporal_cfg = prepared(settings, settings.temporal_config, with_teacher=False)
    temporal = build(student_config(temporal_cfg), device)
    length = temporal.queue_length
    return {
        'student_forward': ('student, forward', forward(student, images)),
        'student_step': ('student, training step', training_step(cfg, student, images)),
        'teacher_forward': ('teacher, forward', teacher_forward(distiller, clouds)),
        'distilled_step': ('distilled step, live teacher', training_step(cfg, distiller, batch)),
        'distilled_step_cached': (
            'distilled step, teacher cache', training_step(cached, build(cached.model, device), load(cached, size)),
        ),
        'temporal_step': (
            f'student with history, training step, {length} frames',
            training_step(temporal_cfg, temporal, with_queue(images, length)),
        ),
    }, len(batch['data_samples'])


def measure_steps(settings: Settings) -> Result:
    """Steps of student, teacher and distiller."""
    described, samples = step_sides(settings)
    sides = {name: run for name, (_, run) in described.items()}
    # The second round still finds memory for gradients and momentum.
    warm_ups = 0 if settings.quick else 2
    rounds = settings.repeats + warm_ups + 2
    settings.step(1 / rounds)
    times = settings.clock.alternate(sides, settings.repeats, lambda: settings.step(1 / rounds), warm_ups)
    peaks = {name: peak_bytes(run, settings.device) for name, run in sides.items()}
    live = ratio(times, ['distilled_step'], ['student_step', 'teacher_forward'])
    cached = ratio(times, ['distilled_step_cached'], ['student_step'])
    return dict(
        ratios=dict(
            distilled_live=entry('distilled step / (student step + teacher forward)', live, 1.05),
            distilled_cached=entry('distilled step with teacher cache / student step', cached, 1.10),
        ),
        times={name: timed(described[name][0], times[name], samples, peaks[name]) for name in sides},
    )
