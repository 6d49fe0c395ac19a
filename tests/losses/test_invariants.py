"""What no loss may depend on: order of samples, queries and boxes, objects out of range, a mirrored or turned world."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet3d.registry import MODELS
from torch import Tensor

from bevdistill.structures import BEVOutputs, Targets

CRITIC = dict(type='MLPCritic', in_channels=4, channels=5)
TERMS = dict(box=dict(type='BoxCodeTerm'), cls=dict(type='SoftClassTerm'), state=dict(type='StateL1Term'))
PLACES = dict(CRITIC, projections=1, depth=2)
LOSSES: dict[str, dict[str, Any]] = {
    **{f'dense, {mask}': dict(type='DenseBEVLoss', mask=dict(type=mask)) for mask in (
        'AllCells', 'HardForeground', 'SoftForeground', 'PredictedForeground', 'QuerySampledForeground')},
    'heatmap': dict(type='HeatmapDistillLoss', mask=dict(type='SoftForeground')),
    'contrast of places': dict(type='BEVContrastLoss', student_critic=PLACES, teacher_critic=PLACES),
    **{f'instance, {quality}': dict(
        type='InstanceDistillLoss', pairing=dict(type='TeacherBoxPairing', max_boxes=4),
        quality=dict(type=quality), terms=TERMS) for quality in ('UniformQuality', 'ScoreQuality', 'ScoreIoUQuality')},
    'contrast of states': dict(
        type='InstanceDistillLoss', pairing=dict(type='TeacherBoxPairing', max_boxes=4),
        quality=dict(type='UniformQuality'),
        terms=dict(state=dict(type='StateContrastTerm', student_critic=CRITIC, teacher_critic=CRITIC))),
}  # fmt: skip
SQUARE = dict(rows=8, cols=8, limits=(-8.0, -8.0, -5.0, 8.0, 8.0, 3.0))
World = tuple[BEVOutputs, BEVOutputs, Targets]


@pytest.fixture(scope='module')
def losses() -> dict[str, Any]:
    torch.manual_seed(3)
    return {name: MODELS.build(config) for name, config in LOSSES.items()}


@pytest.fixture
def world(make_outputs: Any, make_targets: Any) -> Callable[[int], World]:
    """Two detectors' outputs and targets of a square range."""
    return lambda seed: (
        make_outputs(seed=seed, **SQUARE), make_outputs(seed=seed + 1000, **SQUARE), make_targets(3, 2, seed=seed)
    )  # fmt: skip


few = settings(
    max_examples=2, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
SEEDS = st.integers(0, 99)


@torch.no_grad()
def same(losses: dict[str, Any], one: World, other: World) -> None:
    """Each loss of two worlds is the same, and is not nothing."""
    for name, loss in losses.items():
        first, second = (sum(value for key, value in loss(*each).items() if 'loss' in key) for each in (one, other))
        assert float(first) == pytest.approx(float(second), rel=2e-4, abs=1e-5), name
        assert float(first) != 0 or 'IoU' in name, name  # No box may overlap a teacher's.


def moved(outputs: BEVOutputs, maps: Callable[[Tensor], Tensor], queries: Callable[[Tensor], Tensor]) -> BEVOutputs:
    """Outputs with their maps and queries moved."""
    named = {name: getattr(outputs, name) for name in ('bev', 'heatmap', 'heatmap_features')}
    listed = {name: getattr(outputs, name) for name in ('states', 'logits', 'codes', 'references')}
    return replace(outputs, **{name: maps(value) for name, value in named.items()},
                   **{name: queries(value) for name, value in listed.items()})  # fmt: skip


@few
@given(seed=SEEDS)
def test_order_of_samples(losses: Any, world: Any, seed: int) -> None:
    student, teacher, targets = world(seed)
    swapped = [moved(side, lambda m: m.flip(0), lambda q: q.flip(1)) for side in (student, teacher)]
    same(losses, (student, teacher, targets), (*swapped, Targets(targets.boxes[::-1], targets.labels[::-1])))


@few
@given(seed=SEEDS, data=st.data())
def test_order_of_queries_and_boxes(losses: Any, world: Any, seed: int, data: st.DataObject) -> None:
    student, teacher, targets = world(seed)
    sides = []
    for side in (student, teacher):
        order = data.draw(st.permutations(range(9)))
        sides.append(moved(side, lambda m: m, lambda q, order=order: q[:, :, order]))
    orders = [data.draw(st.permutations(range(len(boxes)))) for boxes in targets.boxes]
    boxes = tuple(value[order] for value, order in zip(targets.boxes, orders, strict=True))
    labels = tuple(value[order] for value, order in zip(targets.labels, orders, strict=True))
    same(losses, (student, teacher, targets), (*sides, Targets(boxes, labels)))


@few
@given(seed=SEEDS, far=st.floats(200, 900), angle=st.floats(-math.pi, math.pi))
def test_objects_out_of_range(losses: Any, world: Any, seed: int, far: float, angle: float) -> None:
    student, teacher, targets = world(seed)
    box = torch.tensor([[far * math.cos(angle), far * math.sin(angle), 0.0, 4.0, 2.0, 1.5, angle, 1.0, 0.0]])
    boxes = tuple(torch.cat((value, box)) for value in targets.boxes)
    labels = tuple(torch.cat((value, value[:1])) for value in targets.labels)
    same(losses, (student, teacher, targets), (student, teacher, Targets(boxes, labels)))


def mirrored_codes(codes: Tensor) -> Tensor:
    """y, the sine of yaw and the velocity along y change their sign."""
    return codes * codes.new_tensor([1, -1, 1, 1, 1, 1, -1, 1, 1, -1])


@few
@given(seed=SEEDS)
def test_a_mirrored_world(losses: Any, world: Any, seed: int) -> None:
    student, teacher, targets = world(seed)
    sides = [
        replace(moved(side, lambda m: m.flip(-2), lambda q: q), codes=mirrored_codes(side.codes),
                references=side.references * torch.tensor([1, -1, 1]) + torch.tensor([0, 1, 0]))
        for side in (student, teacher)
    ]  # fmt: skip
    boxes = tuple(value * value.new_tensor([1, -1, 1, 1, 1, 1, -1, 1, -1]) for value in targets.boxes)
    same(losses, (student, teacher, targets), (*sides, Targets(boxes, targets.labels)))


@few
@given(seed=SEEDS)
def test_a_world_turned_by_a_quarter(losses: Any, world: Any, seed: int) -> None:
    """x, y become -y, x."""
    student, teacher, targets = world(seed)
    # An L1 distance of codes along the axes is another one along turned axes.
    losses = {name: loss for name, loss in losses.items() if not name.startswith('instance')}
    sides = []
    for side in (student, teacher):
        x, y, dx, dy, z, dz, sin, cos, vx, vy = side.codes.unbind(-1)
        right, ahead, up = side.references.unbind(-1)
        turned = moved(side, lambda m: torch.rot90(m, -1, (-2, -1)), lambda q: q)
        codes = torch.stack((-y, x, dx, dy, z, dz, cos, -sin, -vy, vx), -1)
        sides.append(replace(turned, codes=codes, references=torch.stack((1 - ahead, right, up), -1)))
    boxes = []
    for value in targets.boxes:
        x, y, z, dx, dy, dz, yaw, vx, vy = value.unbind(-1)
        boxes.append(torch.stack((-y, x, z, dx, dy, dz, yaw + math.pi / 2, -vy, vx), -1))
    same(losses, (student, teacher, targets), (*sides, Targets(tuple(boxes), targets.labels)))
