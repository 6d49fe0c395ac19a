"""The dense loss in the form of the paper presses on the student's map as hard as the release's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config

import bevdistill  # noqa: F401
from bevdistill.structures import BEVGrid, BEVOutputs, Targets

LOSSES = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'losses'
GRID = BEVGrid((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), 128, 128)
CHANNELS, ERROR = 2, 0.5


def objects(count: int) -> Targets:
    """Cars anywhere within 40 m."""
    generator = torch.Generator().manual_seed(count)
    boxes = torch.tensor([0.0, 0.0, 0.0, 4.5, 1.9, 1.6, 0.0, 0.0, 0.0]).repeat(count, 1)
    boxes[:, :2] = (torch.rand(count, 2, generator=generator) - 0.5) * 80
    return Targets((boxes,), (torch.zeros(count, dtype=torch.long),))


def side(value: float) -> BEVOutputs:
    """Both maps of one value."""
    sizes = dict(states=4, logits=10, codes=10, references=3)
    fields = {name: torch.zeros(1, 1, 2, size) for name, size in sizes.items()}
    maps = dict.fromkeys(('bev', 'heatmap_features'), torch.full((1, CHANNELS, GRID.rows, GRID.cols), value))
    heatmap = torch.zeros(1, 10, GRID.rows, GRID.cols)
    return BEVOutputs(grid=GRID, heatmap=heatmap, **maps, **fields)


def force(config: dict, targets: Targets) -> tuple[float, float]:
    """Weighted loss, and the sum of its gradient's magnitudes on the student's map."""
    config = dict(config)
    weight, tap = config.pop('weight'), config['tap']
    student, teacher = side(ERROR), side(0.0)
    own = getattr(student, tap).requires_grad_()
    value = weight * MODELS.build(config)(student, teacher, targets)['loss']
    (gradient,) = torch.autograd.grad(value, own)
    return float(value), float(gradient.abs().sum())


def dense(form: str) -> dict:
    """The dense loss of a form."""
    name = {'bevdistill': 'distill_losses', 'bevdistill_released': 'released_losses'}[form]
    return Config.fromfile(LOSSES / f'{form}.py')[name].dense.to_dict()


@pytest.mark.parametrize('count', [1, 8, 32])
def test_it_is_the_releases(count: int) -> None:
    paper, released = (force(dense(form), objects(count)) for form in ('bevdistill', 'bevdistill_released'))
    assert paper == pytest.approx(released, rel=1e-4)
    assert paper == pytest.approx((0.01 * CHANNELS * ERROR**2, 0.01 * CHANNELS * 2 * ERROR), rel=1e-4)


def test_weight_of_the_same_force_over_all_cells() -> None:
    """The number that the config's comment computes."""
    targets = objects(32)
    config = dense('bevdistill')
    mass = MODELS.build(config['mask']).mask(side(0.0), side(0.0), targets).sum()
    assert 0.01 * GRID.num_cells / float(mass) == pytest.approx(0.21, abs=0.01)
    over_cells = force(config | dict(normaliser='cells', weight=0.21), targets)
    assert over_cells == pytest.approx(force(config, targets), rel=0.05)
