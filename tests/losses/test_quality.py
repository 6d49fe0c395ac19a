from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS
from shapely import Polygon
from shapely.affinity import rotate, translate

from bevdistill.losses import TeacherBoxes
from bevdistill.structures import Targets, encode_boxes


def boxes_of(*samples: torch.Tensor, scores: torch.Tensor | None = None) -> TeacherBoxes:
    boxes = torch.stack(samples)
    batch, count, _ = boxes.shape
    scores = torch.rand(batch, count, 3) if scores is None else scores
    index = torch.arange(count).expand(batch, count)
    return TeacherBoxes(index, torch.ones(batch, count, dtype=torch.bool), boxes, encode_boxes(boxes), scores)


def footprint(box: torch.Tensor) -> Polygon:
    x, y, _, dx, dy, _, yaw = box[:7].tolist()
    flat = Polygon([(-dx / 2, -dy / 2), (dx / 2, -dy / 2), (dx / 2, dy / 2), (-dx / 2, dy / 2)])
    return translate(rotate(flat, yaw, origin=(0, 0), use_radians=True), x, y)


def overlap(a: torch.Tensor, b: torch.Tensor, kind: str) -> float:
    """Rotated IoU by polygon clipping."""
    shared = footprint(a).intersection(footprint(b)).area
    area_a, area_b = float(a[3] * a[4]), float(b[3] * b[4])
    if kind == 'bev':
        return shared / (area_a + area_b - shared)
    top = min(float(a[2] + a[5] / 2), float(b[2] + b[5] / 2))
    bottom = max(float(a[2] - a[5] / 2), float(b[2] - b[5] / 2))
    shared *= max(top - bottom, 0)
    return shared / (area_a * float(a[5]) + area_b * float(b[5]) - shared)


@pytest.mark.parametrize('kind', ['3d', 'bev'])
@pytest.mark.parametrize('gamma', [0.0, 0.3, 1.0])
def test_score_iou_matches_polygons(make_targets, kind: str, gamma: float) -> None:
    targets = make_targets(4, 2)
    noise = torch.randn(2, 5, 9) * 0.3
    near = torch.stack([truth[torch.arange(5) % len(truth)] for truth in targets.boxes]) + noise
    boxes = boxes_of(*near)
    weights = MODELS.build(dict(type='ScoreIoUQuality', gamma=gamma, iou=kind))(boxes, targets)
    for b in range(2):
        for m in range(5):
            best = max(overlap(near[b, m], truth, kind) for truth in targets.boxes[b])
            want = float(boxes.scores[b, m].max()) ** gamma * best ** (1 - gamma)
            assert float(weights.numerator[b, m]) == pytest.approx(want, abs=2e-3)
    assert float(weights.denominator.min()) == 1


@pytest.mark.parametrize('count', [1, 3])
def test_exact_box_has_iou_one(make_targets, count: int) -> None:
    targets = make_targets(count)
    weights = MODELS.build(dict(type='ScoreIoUQuality', gamma=0.0))(boxes_of(targets.boxes[0]), targets)
    torch.testing.assert_close(weights.numerator, torch.ones(1, count), rtol=1e-3, atol=1e-3)


def test_without_ground_truth_iou_is_zero(make_targets) -> None:
    boxes = boxes_of(make_targets(3).boxes[0])
    nothing = Targets((torch.zeros(0, 9),), (torch.zeros(0, dtype=torch.long),))
    assert MODELS.build(dict(type='ScoreIoUQuality'))(boxes, nothing).numerator.tolist() == [[0.0] * 3]
    by_score = MODELS.build(dict(type='ScoreIoUQuality', gamma=1.0))(boxes, nothing)
    torch.testing.assert_close(by_score.numerator, boxes.score)


def test_score(make_targets) -> None:
    targets = make_targets(3)
    boxes = boxes_of(targets.boxes[0])
    plain = MODELS.build(dict(type='ScoreQuality'))(boxes, targets)
    assert torch.equal(plain.numerator, boxes.score)
    assert torch.equal(plain.denominator, boxes.score)
    released = MODELS.build(dict(type='ScoreQuality', released_squared=True))(boxes, targets)
    assert torch.equal(released.numerator, boxes.score.square())
    assert torch.equal(released.denominator, boxes.score)
    counted = MODELS.build(dict(type='ScoreQuality', normaliser='count'))(boxes, targets)
    assert torch.equal(counted.denominator, torch.ones(1, 3))


def test_uniform(make_targets) -> None:
    targets = make_targets(3)
    weights = MODELS.build(dict(type='UniformQuality'))(boxes_of(targets.boxes[0]), targets)
    assert torch.equal(weights.numerator, torch.ones(1, 3))
    assert torch.equal(weights.denominator, torch.ones(1, 3))


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='ScoreIoUQuality', gamma=1.5), r'gamma must lie in \[0, 1\], got 1.5'),
        (dict(type='ScoreIoUQuality', iou='2d'), "iou must be '3d' or 'bev', got '2d'"),
        (dict(type='ScoreIoUQuality', normaliser='max'), "normaliser must be 'weight' or 'count', got 'max'"),
        (dict(type='ScoreQuality', normaliser='max'), "normaliser must be 'weight' or 'count', got 'max'"),
    ],
)
def test_messages(config, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MODELS.build(config)
