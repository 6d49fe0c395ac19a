"""Measure how time grows: with BEV cells, cameras, frames and samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .clock import Run, Spread
from .models import Settings, build, load, only, prepared, student_config, training_step, with_cameras, with_queue
from .ratios import encode_and_back
from .reference.workload import encoder_workload

ORDER = 1.0
"""Expected exponent on every axis."""
TOLERANCE = 0.15
"""How far a measured exponent may be above the expected one."""


Axis = tuple[str, str, dict[int, Run]]
"""What grows with its unit, what is timed, and from size to run."""


@dataclass(frozen=True)
class Fit:
    """Two descriptions of measured times.

    Args:
        exponent: p of ``seconds = factor * size^p``, least squares of logarithms.
        factor: Seconds at size 1 by that law.
        fixed: Seconds that do not depend on the size, by ``seconds = fixed + each * size`` (least squares of relative
            errors).
        each: Seconds that a unit of size adds.
    """

    exponent: float
    factor: float
    fixed: float
    each: float

    @classmethod
    def of(cls, sizes: Sequence[float], seconds: Sequence[float]) -> Fit:
        """Fit.

        Raises:
            ValueError: If there are fewer than two different sizes, or a number is not positive.
        """
        if len(sizes) != len(seconds) or len(set(sizes)) < 2 or min(*sizes, *seconds) <= 0:
            raise ValueError(f'a fit needs two sizes or more with positive seconds, got {sizes} and {seconds}')
        exponent, intercept = np.polyfit(np.log(sizes), np.log(seconds), 1)
        each, fixed = np.polyfit(sizes, seconds, 1, w=1 / np.asarray(seconds))
        return cls(float(exponent), float(np.exp(intercept)), float(fixed), float(each))


def encoder_axis(settings: Settings) -> Axis:
    """Grow the encoder's cells, otherwise as BEVFormer-tiny."""
    sides = {}
    for side in (6, 8) if settings.quick else (25, 35, 50, 70, 100):
        sizes: dict[str, Any] = dict(num_layers=1, embed_dims=32) if settings.quick else {}
        with torch.device(settings.device):
            work = encoder_workload(rows=side, cols=side, **sizes)
        sides[side * side] = encode_and_back(work.encoder, work)
    return 'BEV cells', 'encoder forward + backward, BEVFormer-tiny', sides


def camera_axis(settings: Settings) -> Axis:
    """Grow the cameras of a training step of the student."""
    cfg = prepared(settings, settings.config, with_teacher=False)
    batch = only(load(cfg, 1), 'img')
    sides = {}
    for number in (1, 2) if settings.quick else (1, 2, 3, 4, 6):
        config = student_config(cfg)
        config['pts_bbox_head'].update(num_cams=number)
        sides[number] = training_step(cfg, build(config, settings.device), with_cameras(batch, number))
    return 'cameras', 'training step of the student, 1 sample', sides


def queue_axis(settings: Settings) -> Axis:
    """Grow the frames of a training step of the student with history."""
    cfg = prepared(settings, settings.temporal_config, with_teacher=False)
    batch = only(load(cfg, 1), 'img')
    sides = {}
    for length in (2, 3) if settings.quick else (2, 3, 4, 6, 8):
        config = dict(student_config(cfg), queue_length=length)
        sides[length] = training_step(cfg, build(config, settings.device), with_queue(batch, length))
    return 'queue length T', 'training step of the student with history, 1 sample', sides


def batch_axis(settings: Settings) -> Axis:
    """Grow the samples of a training step of the student."""
    cfg = prepared(settings, settings.config, with_teacher=False)
    model = build(student_config(cfg), settings.device)
    sizes = (1, 2) if settings.quick else (1, 2, 4, 8)
    sides = {size: training_step(cfg, model, only(load(cfg, size), 'img')) for size in sizes}
    return 'samples', 'training step of the student', sides


AXES = (encoder_axis, camera_axis, queue_axis, batch_axis)


def measure_scaling(settings: Settings) -> dict[str, Any]:
    """Time each axis, fit it, and compare its exponent with the expected one."""
    rows = []
    for make in AXES:
        name, what, sides = make(settings)
        named = {str(size): run for size, run in sides.items()}
        times = settings.alternate(named, extra=1, slower=2, parts=len(AXES))
        spreads = [Spread.of(seconds) for seconds in times.values()]
        fit = Fit.of(list(sides), [spread.median for spread in spreads])
        rows.append(
            dict(
                name=name,
                what=what,
                sizes=list(sides),
                seconds=[vars(spread) for spread in spreads],
                **vars(fit),
                order=ORDER,
                as_expected=fit.exponent <= ORDER + TOLERANCE,
            )
        )
    return dict(scaling=rows)


def plot_scaling(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot measured times with quartiles, the fitted line, and one of the expected order through the last point."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    from bevdistill.visualization import save_figure

    figure = Figure(figsize=(4 * len(rows), 3.6), layout='constrained')
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        sizes = np.array(row['sizes'], dtype=float)
        medians, low, high = (np.array([point[key] for point in row['seconds']]) for key in ('median', 'low', 'high'))
        error = [medians - low, high - medians]
        axes.errorbar(sizes, medians, error, fmt='o', color='tab:blue', capsize=3, label='measured, quartiles')
        line = row['factor'] * sizes ** row['exponent']
        axes.plot(sizes, line, color='tab:blue', label=f'fit: exponent {row["exponent"]:.2f}')
        expected = medians[-1] * (sizes / sizes[-1]) ** row['order']
        axes.plot(sizes, expected, '--', color='tab:grey', label=f'expected: exponent {row["order"]:g}')
        axes.set(xscale='log', yscale='log', xlabel=row['name'], ylabel='seconds')
        axes.set_xticks(sizes, [f'{size:g}' for size in sizes])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter('{x:g}')
        axes.minorticks_off()
        axes.set_title(row['what'], fontsize=9)
        axes.legend(fontsize=8, frameon=False)
    save_figure(figure, path)
