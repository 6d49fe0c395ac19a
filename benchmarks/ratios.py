"""Compare: encoder and targets with their straightforward forms, distilled steps with their parts."""

from __future__ import annotations

from typing import Any

import torch

from bevdistill.detection import gaussian as fast
from bevdistill.layers.sampling import Backend, use_backend
from bevdistill.layers.sampling.backend import mmcv_has_cuda
from bevdistill.structures import BEVGrid

from .clock import Run, Spread, peak_bytes, ratio
from .models import (
    Settings,
    build,
    forward,
    load,
    only,
    prepared,
    student_config,
    training_step,
    with_cache,
    with_queue,
)
from .reference import targets as slow
from .reference.bevformer_encoder import ReferenceEncoder
from .reference.workload import RANGE, Workload, encoder_workload, random_targets

Result = dict[str, Any]
CLASSES = 10


def entry(what: str, spread: Spread | float, target: float) -> Result:
    """Put a ratio beside its target; one that is counted and not timed is a number without a spread."""
    summary = spread if isinstance(spread, Spread) else Spread.of([spread])
    return dict(what=what, **vars(summary), target=target, met=summary.median <= target)


def timed(what: str, seconds: list[float], samples: int, peak: int | None = None) -> Result:
    """Summarise a run: seconds, samples per second, and the memory that it adds."""
    spread = Spread.of(seconds)
    return dict(what=what, **vars(spread), samples_per_second=samples / spread.median, peak_bytes=peak)


def encode_and_back(encoder: torch.nn.Module, work: Workload) -> Run:
    """Return a run of an encoder forward and backward, gradients of weights and inputs included."""
    leaves = [*work.leaves, *encoder.parameters()]

    def run() -> None:
        for leaf in leaves:
            leaf.grad = None
        encoder(*work.arguments).sum().backward()

    return run


def other_backends(device: str) -> list[Backend]:
    """Name the sampling backends that a device has beside its default: on CUDA mmcv's, where it was built for it."""
    return ['mmcv'] if device == 'cuda' and mmcv_has_cuda() else []


def sampled_by(name: Backend, run: Run) -> Run:
    """Return a run in which another backend samples."""

    def run_so() -> None:
        with use_backend(name):
            run()

    return run_so


def measure_encoder(settings: Settings) -> Result:
    """Compare the encoder at BEVFormer-tiny's setting with the straightforward one that has the same weights."""
    result: Result = dict(ratios={}, times={})
    for history in (False, True):
        found = compare_encoders(settings, history)
        for part in result:
            result[part] |= found[part]
    return result


def compare_encoders(settings: Settings, history: bool) -> Result:
    """Compare the two encoders without or with a previous BEV map; with it the names end in ``_history``."""
    sizes: dict[str, Any] = dict(rows=8, cols=8, num_layers=1, embed_dims=32) if settings.quick else {}
    with torch.device(settings.device):
        work = encoder_workload(history=history, **sizes)
    reference = ReferenceEncoder.from_module(work.encoder)
    ours = encode_and_back(work.encoder, work)
    sides = dict(ours=ours, reference=encode_and_back(reference, work))
    others = other_backends(settings.device)
    sides |= {f'sampled by {name}': sampled_by(name, ours) for name in others}
    times = settings.alternate(sides, extra=2)
    peaks = {name: peak_bytes(run, settings.device) for name, run in sides.items()}
    faster = ratio(times, ['ours'], ['reference'])
    end, how = ('_history', 'encoder with history') if history else ('', 'encoder')
    result = dict(
        ratios={
            f'encoder_time{end}': entry(f'{how} forward + backward / straightforward', faster, 0.5),
            f'encoder_memory{end}': entry('its memory / straightforward', peaks['ours'] / peaks['reference'], 0.6),
        },
        times={
            f'encoder{end}': timed(f'{how} forward + backward, BEVFormer-tiny', times['ours'], 1, peaks['ours']),
            f'encoder_reference{end}': timed('the same, straightforward', times['reference'], 1, peaks['reference']),
        },
    )
    for name in others:
        side, what = f'sampled by {name}', f'the same {how}, sampling backend: {name}'
        result['times'][f'encoder_{name}{end}'] = timed(what, times[side], 1, peaks[side])
        result['ratios'] |= {
            f'{name}_time{end}': entry(f'{how} / {what}', ratio(times, ['ours'], [side]), 1 / 1.5),
            f'{name}_memory{end}': entry(f'its memory / {what}', peaks['ours'] / peaks[side], 0.25),
        }
    return result


def measure_targets(settings: Settings) -> Result:
    """Compare heatmap targets and foreground masks with loops over objects: 60 boxes in each of 8 samples."""
    torch.manual_seed(0)
    cells, boxes, batch = (16, 4, 2) if settings.quick else (128, 60, 8)
    grid = BEVGrid(RANGE, cells, cells)
    with torch.device(settings.device):
        drawn = random_targets((boxes,) * batch, grid)

    def draw(module: Any) -> Run:
        def run() -> None:
            module.heatmap_targets(drawn, grid, CLASSES)
            module.gaussian_foreground(drawn, grid)
            module.gaussian_foreground(drawn, grid, sigma=1.0)
            module.hard_foreground(drawn, grid)

        return run

    times = settings.alternate(dict(ours=draw(fast), reference=draw(slow)))
    what = f'heatmap targets and masks / loop over objects ({boxes} boxes, batch {batch}, {cells} x {cells} cells)'
    return dict(
        ratios=dict(targets_time=entry(what, ratio(times, ['ours'], ['reference']), 0.05)),
        times={
            'targets': timed('heatmap targets and masks', times['ours'], batch),
            'targets_reference': timed('the same, object by object', times['reference'], batch),
        },
    )


def step_sides(settings: Settings) -> tuple[dict[str, tuple[str, Run]], int]:
    """Build what a training step is made of: from a name to a description and a run; and the samples of a batch."""
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
        'teacher_forward': ('teacher, forward', forward(distiller, clouds, distiller.teacher)),
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
    """Measure steps of student, teacher and distiller."""
    described, samples = step_sides(settings)
    sides = {name: run for name, (_, run) in described.items()}
    # The second round still allocates gradients and momentum.
    times = settings.alternate(sides, extra=2, warm_ups=2)
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
