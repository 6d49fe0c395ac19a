from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet3d.registry import MODELS

import projects.distillbev  # noqa: F401
from bevdistill.structures import BEVGrid, Targets
from projects.distillbev.attention import spatial_attention
from projects.distillbev.regions import region_weights

GRID = BEVGrid((-8.0, -6.0, -5.0, 8.0, 6.0, 3.0), 6, 8)
TERMS = ('loss_foreground', 'loss_background', 'loss_attention')


def build(**arguments):
    """The loss, repeatable, with a convolution of the means that is not the identity."""
    torch.manual_seed(0)
    return MODELS.build(dict(type='DistillBEVLoss', **arguments))


def loop_regions(boxes: torch.Tensor) -> tuple[list[list[float]], list[list[float]]]:
    """Foreground and background on 6 x 8 cells of 2 m."""
    weights = [[0.0] * 8 for _ in range(6)]
    # The first box stays: it is written last.
    for x, y, _, length, width, _, yaw, _, _ in reversed(boxes.tolist()):
        for row in range(6):
            for col in range(8):
                dx, dy = -8 + 2 * col + 1 - x, -6 + 2 * row + 1 - y
                along, across = dx * math.cos(yaw) + dy * math.sin(yaw), dy * math.cos(yaw) - dx * math.sin(yaw)
                if abs(along) < length / 2 and abs(across) < width / 2:
                    weights[row][col] = math.sqrt(4.0 / (length * width))
    outside = sum(weight == 0 for row in weights for weight in row)
    foreground = [[max(weight, 1 / outside) if weight else 0.0 for weight in row] for row in weights]
    return foreground, [[0.0 if weight else 1 / outside for weight in row] for row in weights]


def loop_loss(loss, student: torch.Tensor, teacher: torch.Tensor, boxes: torch.Tensor) -> dict[str, float]:
    """One sample, weights and temperature of the release."""
    cells = [(row, col) for row in range(6) for col in range(8)]
    size = {at: sum(abs(float(v)) for v in teacher[:, at[0], at[1]]) / len(teacher) for at in cells}
    own_mean, mean = ({at: float(map[:, at[0], at[1]].mean()) for at in cells} for map in (student, teacher))
    kernel, bias = loss.mean_adapter.weight[0, 0].tolist(), float(loss.mean_adapter.bias)
    mass = sum(math.exp(size[at] / 0.5) for at in cells)
    foreground, background = loop_regions(boxes)
    result = dict.fromkeys(TERMS, 0.0)
    for row, col in cells:
        attention = 48 * math.exp(size[row, col] / 0.5) / mass
        pairs = zip(student[:, row, col].tolist(), teacher[:, row, col].tolist(), strict=True)
        error = attention * sum((s - t) ** 2 for s, t in pairs)
        result['loss_foreground'] += 5e-3 * foreground[row][col] * error
        result['loss_background'] += 4e-3 * background[row][col] * error
        smooth = bias + sum(
            kernel[r][c] * own_mean.get((row + r - 1, col + c - 1), 0.0) for r in range(3) for c in range(3)
        )
        result['loss_attention'] += 5e-4 * abs(smooth - mean[row, col])
    return result


def test_matches_loops(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(3, 2)
    loss = build()
    apart = [loop_loss(loss, student.bev[b], teacher.bev[b], targets.boxes[b]) for b in range(2)]
    got = loss(student, teacher, targets)
    assert set(got) == set(TERMS)
    for term in TERMS:
        assert float(got[term]) == pytest.approx((apart[0][term] + apart[1][term]) / 2, rel=1e-4)


def box(x: float, y: float, length: float, width: float) -> list[float]:
    return [x, y, 0.0, length, width, 1.0, 0.0, 0.0, 0.0]


def regions(*boxes: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Foreground and background of one sample, (6, 8)."""
    targets = Targets((torch.tensor(boxes).view(-1, 9),), (torch.zeros(len(boxes)).long(),))
    foreground, background = region_weights(targets, GRID)
    return foreground[0], background[0]


def test_a_large_object_counts_as_the_square_root_of_its_area() -> None:
    # Two boxes over whole cells of 2 m: 2 x 1 cells and 4 x 4 cells.
    weights, _ = regions(box(-6.0, -5.0, 4.0, 2.0), box(4.0, 2.0, 8.0, 8.0))
    assert float(weights[:, :2].sum()) == pytest.approx(math.sqrt(2))
    assert float(weights[:, 4:].sum()) == pytest.approx(4)
    assert float(weights.sum()) == pytest.approx(4 + math.sqrt(2))


def test_the_first_of_two_boxes_decides() -> None:
    large, small = box(0.0, 0.0, 8.0, 8.0), box(1.0, 1.0, 2.0, 2.0)
    assert float(regions(large, small)[0].max()) == pytest.approx(1 / 4)
    assert float(regions(small, large)[0][3, 4]) == 1


def test_a_box_between_cell_centres_marks_nothing() -> None:
    foreground, background = regions(box(0.0, 0.0, 1.0, 1.0))
    assert float(foreground.sum()) == 0
    torch.testing.assert_close(background, torch.full((6, 8), 1 / 48))


def test_background_has_mass_one_and_a_foreground_cell_no_less_weight_than_one_of_it() -> None:
    foreground, background = regions(box(0.0, 0.0, 18.0, 9.0))
    # 4 of 6 rows are inside; sqrt(4 / 162) is less than ...
    assert float(background.sum()) == pytest.approx(1)
    assert float(background[0, 0]) == pytest.approx(1 / 16)
    assert float(foreground[2, 2]) == pytest.approx(math.sqrt(4 / 162))
    # ... and more than the weight of a background cell; with three left it is not.
    foreground, background = regions(box(-1.0, 0.0, 14.0, 20.0), box(7.0, 1.0, 2.0, 8.0))
    assert float(background[0, 7]) == pytest.approx(1 / 3)
    assert float(foreground[2, 2]) == pytest.approx(1 / 3)
    assert float(regions(box(0.0, 0.0, 30.0, 30.0))[1].sum()) == 0


def test_attention_has_mean_one_and_looks_at_large_features() -> None:
    features = torch.zeros(2, 3, 4, 5)
    features[0, :, 1, 2] = -2.0
    attention = spatial_attention(features, 0.5)
    torch.testing.assert_close(attention.mean(dim=(1, 2)), torch.ones(2))
    assert float(attention[0, 1, 2] / attention[0, 0, 0]) == pytest.approx(math.exp(2 / 0.5), rel=1e-4)
    torch.testing.assert_close(attention[1], torch.ones(4, 5))


def test_batch_is_the_mean_of_its_samples(make_outputs, make_targets, single, sample_of) -> None:
    student, teacher, targets = make_outputs(batch=3), make_outputs(batch=3, seed=1), make_targets(4, 0, 1)
    apart = [build()(single(student, b), single(teacher, b), sample_of(targets, b)) for b in range(3)]
    got = build()(student, teacher, targets)
    for term in TERMS:
        torch.testing.assert_close(got[term], sum(part[term] for part in apart) / 3)


def test_without_objects_all_is_background(make_outputs, make_targets) -> None:
    student, teacher = make_outputs(grad=True), make_outputs(seed=1)
    got = build()(student, teacher, make_targets(0, 0))
    assert float(got['loss_foreground']) == 0
    assert float(got['loss_background']) > 0
    sum(got.values()).backward()
    assert bool(student.bev.grad.isfinite().all())


def test_boxes_without_size_are_left_out(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1), make_targets(1, 0)
    targets.boxes[0][:, 3] = 0.0
    empty = build()(student, teacher, make_targets(0, 0))
    got = build()(student, teacher, targets)
    for term in TERMS:
        torch.testing.assert_close(got[term], empty[term])


def test_gradient_reaches_the_student_only(make_outputs, make_targets) -> None:
    for term in TERMS:
        student, teacher = make_outputs(grad=True), make_outputs(seed=1, grad=True)
        build()(student, teacher, make_targets(3, 2))[term].backward()
        assert float(student.bev.grad.abs().sum()) > 0
        assert teacher.bev.grad is None


def test_teacher_of_another_size_is_resized(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, rows=9, cols=13), make_targets(2, 1)
    small = make_outputs(seed=1)
    small.bev.copy_(F.interpolate(teacher.bev, size=(6, 8), mode='bilinear', align_corners=False))
    got, want = build()(student, teacher, targets), build()(student, small, targets)
    for term in TERMS:
        torch.testing.assert_close(got[term], want[term])


def test_channels_must_agree_or_have_an_adapter(make_outputs, make_targets) -> None:
    student, teacher, targets = make_outputs(), make_outputs(seed=1, channels=7), make_targets(1, 1)
    with pytest.raises(ValueError, match=r"student bev has 4 channels and the teacher's 7.*ConvAdapter"):
        build()(student, teacher, targets)
    loss = build(adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=7))
    assert all(bool(value.isfinite()) for value in loss(student, teacher, targets).values())


def test_temperature_must_be_positive() -> None:
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        build(temperature=0)
