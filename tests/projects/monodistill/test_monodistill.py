"""MonoDistill's three losses against loops over cells, pairs of places, and objects."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config

from bevdistill.structures import encode_boxes
from projects.monodistill import affinity

REPO = Path(__file__).resolve().parents[3]
CONFIG = REPO / 'projects' / 'monodistill' / 'configs' / '_base_' / 'losses.py'


def build(name: str, **arguments: Any):
    """A loss of the config, for maps of 4 channels; its weight is 1."""
    config = Config.fromfile(CONFIG).monodistill_losses.to_dict()[name] | arguments
    assert config.pop('weight') == 1
    if name == 'features':
        config['adapter'].update(student_channels=4, teacher_channels=arguments.pop('teacher_channels', 4))
        config.pop('teacher_channels', None)
    return MODELS.build(config)


def inside(box: torch.Tensor, x: float, y: float) -> bool:
    cx, cy, _, dx, dy, _, yaw = box[:7].tolist()
    along = (x - cx) * math.cos(yaw) + (y - cy) * math.sin(yaw)
    across = (y - cy) * math.cos(yaw) - (x - cx) * math.sin(yaw)
    own_cell = math.floor(x / 2) == math.floor(cx / 2) and math.floor(y / 2) == math.floor(cy / 2)
    return own_cell or (abs(along) <= dx / 2 and abs(across) <= dy / 2)


@pytest.mark.parametrize('counts', [(3, 2), (2, 0), (0, 0)], ids=str)
def test_features_of_objects(make_outputs: Any, make_targets: Any, counts: tuple[int, int]) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(*counts)
    loss = build('features')
    adapted = loss.adapter(student.bev)
    total, cells = 0.0, 0
    for b in range(2):
        for row in range(6):
            for col in range(8):
                # Cells of 2 m on 16 m x 12 m around the origin.
                if any(inside(box, 2 * col - 7.0, 2 * row - 5.0) for box in targets.boxes[b]):
                    difference = adapted[b, :, row, col] - teacher.bev[b, :, row, col]
                    total += sum(value**2 for value in difference.tolist()) / 4
                    cells += 1
    assert (cells > 0) == (sum(counts) > 0)
    want = 10 / 12 * 0.5 * total / max(cells, 1)
    assert float(loss(student, teacher, targets)['loss_object']) == pytest.approx(want, rel=1e-4)


def pooled(map_CHW: torch.Tensor, rows: int, cols: int) -> list[torch.Tensor]:
    """Means of the blocks that make `rows` x `cols` places, row by row."""
    _, height, width = map_CHW.shape
    places = []
    for r in range(rows):
        for c in range(cols):
            block = [
                map_CHW[:, y, x]
                for y in range(r * height // rows, -(-(r + 1) * height // rows))
                for x in range(c * width // cols, -(-(c + 1) * width // cols))
            ]
            places.append(sum(block) / len(block))
    return places


@pytest.mark.parametrize('cosine', [True, False])
@pytest.mark.parametrize(('cells', 'places'), [(3, (3, 3)), (5, (5, 5)), (7, (6, 7)), (32, (6, 8))])
def test_affinity_of_the_scene(
    make_outputs: Any, make_targets: Any, cells: int, places: tuple[int, int], cosine: bool
) -> None:
    student, teacher = make_outputs(), make_outputs(seed=1)
    loss = build('features', cells=cells, cosine=cosine)
    adapted = loss.adapter(student.bev)
    per_sample = []
    for b in range(2):
        own, wanted = pooled(adapted[b], *places), pooled(teacher.bev[b], *places)
        total = 0.0
        for i in range(len(own)):
            for j in range(len(own)):
                pair = []
                for features in (own, wanted):
                    product = float(features[i] @ features[j])
                    lengths = float(features[i].norm() * features[j].norm())
                    pair.append(product / lengths if cosine else product)
                total += abs(pair[0] - pair[1])
        per_sample.append(total / len(own) ** 2)
    value = loss(student, teacher, make_targets(0, 0))['loss_scene']
    assert float(value) == pytest.approx(sum(per_sample) / 2 / 12, rel=1e-4)


def test_cosines_do_not_depend_on_the_scale() -> None:
    map_BCHW = torch.randn(2, 4, 6, 8)
    unit, scaled = (affinity(map_BCHW * scale, 4, cosine=True) for scale in (1, 50))
    torch.testing.assert_close(scaled, unit)
    torch.testing.assert_close(affinity(map_BCHW * 50, 4), affinity(map_BCHW, 4) * 2500, rtol=1e-3, atol=1e-3)
    assert not affinity(torch.zeros(1, 4, 6, 8), 4, cosine=True).any()


def test_responses_to_objects(make_outputs: Any, make_targets: Any) -> None:
    """The boxes of both sides' queries that the detection losses match to the same object."""
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build('response')
    matched = [
        loss.pairing.matcher.match(side.logits[-1:], side.codes[-1:], targets)[0] for side in (student, teacher)
    ]
    total, count = 0.0, 0
    for b in range(2):
        for target in range(len(targets.labels[b])):
            own, wanted = (assigned[b].tolist().index(target) for assigned in matched)
            difference = (student.codes[-1, b, own] - encode_boxes(teacher.boxes)[b, wanted]).abs()
            total += float(difference[:8].sum() + 0.2 * difference[8:].sum())
            count += 1
    assert count == 5
    value = loss(student, teacher, targets)['loss_box']
    assert float(value) == pytest.approx(0.25 * total / count, rel=1e-4)
    assert float(loss(student, teacher, make_targets(0, 0))['loss_box']) == 0


def test_both_losses_on_features_share_one_adapter(make_outputs: Any, make_targets: Any) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7, rows=9, cols=12), make_targets(3, 2)
    loss = build('features', teacher_channels=7)
    for term, value in loss(student, teacher, targets).items():
        loss.zero_grad()
        value.backward(retain_graph=True)
        assert all(float(weight.grad.abs().sum()) > 0 for name, weight in loss.named_parameters()), term
    with pytest.raises(ValueError, match="student bev has 4 channels and the teacher's 7"):
        build('features')(student, teacher, targets)


def test_options(make_outputs: Any, make_targets: Any) -> None:
    assert build('features').wants == ('student.bev', 'teacher.bev', 'targets')
    with pytest.raises(ValueError, match='cells must be at least 1, got 0'):
        build('features', cells=0)
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build('features')
    once = loss(student, teacher, targets)
    loss.object_weight, loss.scene_weight = 20 / 12, 3 / 12
    twice = loss(student, teacher, targets)
    torch.testing.assert_close(twice['loss_object'], 2 * once['loss_object'])
    torch.testing.assert_close(twice['loss_scene'], 3 * once['loss_scene'])
