"""Teacher boxes in place of ground truth: a loop over queries, and losses with hand-given targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor

from bevdistill.detection import HeatmapLoss, SetLoss
from bevdistill.distillers import BEVDistiller, PseudoLabels, check_wiring
from bevdistill.structures import BEVGrid, BEVOutputs, Targets

LOSSES = dict(
    dense=dict(type='DenseBEVLoss', mask=dict(type='SoftForeground')),
    sparse=dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=4),
        quality=dict(type='ScoreIoUQuality'),
        terms=dict(box=dict(type='BoxCodeTerm')),
    ),
)
SCORE = 0.5
"""Below most scores of the made-up teacher."""


@MODELS.register_module(force=True)
class TargetDetector(MODELS.get('FakeDetector')):
    """The made-up detector with detection losses that read the ground truth."""

    def loss_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        targets = Targets.from_samples(samples, outputs.bev.device)
        heatmap = HeatmapLoss()(outputs.heatmap, targets, self.grid)
        return SetLoss()(outputs, targets) | {'loss_heatmap': heatmap}


def build(checkpoint: Any, **changes: Any) -> BEVDistiller:
    config = dict(
        type='BEVDistiller',
        student=dict(type='TargetDetector', source='imgs'),
        teacher=dict(type='FakeDetector', source='points'),
        teacher_checkpoint=str(checkpoint),
        losses=LOSSES,
        unlabelled=dict(min_score=SCORE),
    )
    torch.manual_seed(1)
    return MODELS.build(config | changes).eval()


def unlabel(data: dict[str, Any], places: Sequence[int]) -> dict[str, Any]:
    """Take the labels of some samples away, as the data set does."""
    for place, sample in enumerate(data['data_samples']):
        sample.set_metainfo(dict(token=f'token{place}', labelled=place not in places))
        if place in places:
            del sample.gt_instances_3d
    return data


def loop_boxes(
    teacher: BEVOutputs, sample: int, grid: BEVGrid, min_score: float, max_boxes: int = 10**9
) -> list[tuple[float, int, list[float]]]:
    """Score, label and box (gravity centre) of what a sample's teacher sees, best first."""
    x_min, y_min, _, x_max, y_max, _ = grid.point_cloud_range
    found = []
    for query in range(teacher.logits.shape[2]):
        scores = [1 / (1 + math.exp(-float(logit))) for logit in teacher.logits[-1, sample, query]]
        x, y, log_dx, log_dy, z, log_dz, sin, cos, vx, vy = map(float, teacher.codes[-1, sample, query])
        if max(scores) > min_score and x_min <= x < x_max and y_min <= y < y_max:
            box = [x, y, z, math.exp(log_dx), math.exp(log_dy), math.exp(log_dz), math.atan2(sin, cos), vx, vy]
            found.append((max(scores), scores.index(max(scores)), box))
    return sorted(found, key=lambda entry: -entry[0])[:max_boxes]


def give(sample: Det3DDataSample, found: list[tuple[float, int, list[float]]]) -> None:
    """Hand a sample its targets."""
    boxes = torch.tensor([box for _, _, box in found]).reshape(-1, 9)
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9, origin=(0.5, 0.5, 0.5)),
        labels_3d=torch.tensor([label for _, label, _ in found], dtype=torch.long),
    )


def random_teacher(batch: int, queries: int) -> tuple[BEVOutputs, BEVGrid]:
    grid = BEVGrid((-8.0, -6.0, -5.0, 8.0, 6.0, 3.0), 6, 8)
    codes = torch.randn(2, batch, queries, 10)
    codes[..., :2] *= 5
    outputs = BEVOutputs(
        grid=grid,
        bev=torch.zeros(batch, 1, 6, 8),
        states=torch.zeros(2, batch, queries, 1),
        logits=torch.randn(2, batch, queries, 3),
        codes=codes,
        references=torch.zeros(2, batch, queries, 3),
    )
    return outputs, grid


@pytest.mark.parametrize(('min_score', 'max_boxes'), [(0.3, 300), (0.6, 300), (0.3, 5), (0.0, 7)])
def test_boxes_equal_a_loop(min_score: float, max_boxes: int) -> None:
    teacher, grid = random_teacher(3, 20)
    found = PseudoLabels(min_score=min_score, max_boxes=max_boxes).select(teacher, grid)
    inside = 0
    for sample in range(3):
        wanted = loop_boxes(teacher, sample, grid, min_score, max_boxes)
        inside += len(wanted)
        assert found[sample].labels_3d.tolist() == [label for _, label, _ in wanted]
        assert found[sample].scores_3d.tolist() == pytest.approx([score for score, _, _ in wanted])
        boxes = found[sample].bboxes_3d
        centres = torch.tensor([box[:3] for _, _, box in wanted])
        torch.testing.assert_close(boxes.gravity_center, centres)
        torch.testing.assert_close(boxes.tensor[:, 3:], torch.tensor([box[3:] for _, _, box in wanted]))
        assert torch.equal(found[sample].host_sizes, boxes.tensor[:, 3:5])
    assert 0 < inside < 3 * 20


def test_boxes_that_are_not_finite_are_left_out() -> None:
    teacher, grid = random_teacher(1, 4)
    teacher.codes[-1, 0, :, :2] = 0.0
    teacher.logits[-1] = 2.0
    teacher.codes[-1, 0, 1, 2] = 1000.0  # exp overflows
    teacher.codes[-1, 0, 2, 0] = float('nan')
    teacher.logits[-1, 0, 3] = float('nan')
    (found,) = PseudoLabels().select(teacher, grid)
    assert len(found) == 1
    assert found.bboxes_3d.tensor.isfinite().all()


def test_samples_are_copied_and_labelled_ones_left_alone(batch: Any) -> None:
    teacher, grid = random_teacher(3, 20)
    data = unlabel(batch(3), [1])
    filled, entries = PseudoLabels(weight=0.5).fill(data['data_samples'], teacher, grid)
    assert filled[0] is data['data_samples'][0] and filled[2] is data['data_samples'][2]
    assert 'gt_instances_3d' not in data['data_samples'][1]
    assert filled[1].token == 'token1' and not filled[1].labelled
    count = len(loop_boxes(teacher, 1, grid, 0.3))
    assert len(filled[1].gt_instances_3d) == count > 0
    assert float(entries['boxes']) == count
    assert Targets.from_samples(filled).weights == (1.0, 0.5, 1.0)
    filled, entries = PseudoLabels().fill(unlabel(batch(3), [])['data_samples'], teacher, grid)
    assert entries == {} and Targets.from_samples(filled).weights is None


@pytest.mark.parametrize('places', [[1], [0, 2], [0, 1, 2], []])
def test_losses_are_those_of_hand_given_targets(save_teacher: Any, batch: Any, places: list[int]) -> None:
    model = build(save_teacher())
    model.init_weights()
    data = batch(3)
    teacher = model.teacher(data['inputs'], data['data_samples'])
    scores = teacher.logits[-1].sigmoid().amax(dim=-1).flatten().sort().values
    score = float(scores[8] + scores[9]) / 2
    model.unlabelled = PseudoLabels(min_score=score)
    given = [loop_boxes(teacher, place, model.grid, score) for place in places]
    for place, found in zip(places, given, strict=True):
        give(data['data_samples'][place], found)
    wanted = model(**data, mode='loss')
    assert 'distill.unlabelled.boxes' not in wanted
    losses = model(**unlabel(batch(3), places), mode='loss')
    if places:
        mean = sum(map(len, given)) / len(places)
        assert float(losses.pop('distill.unlabelled.boxes')) == pytest.approx(mean)
        assert 0 < sum(map(len, given)) < 6 * len(places)
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value)
    assert 'distill.dense.loss' in losses and 'loss_heatmap' in losses


def test_the_number_of_boxes_is_logged_and_not_trained(save_teacher: Any, batch: Any) -> None:
    model = build(save_teacher())
    losses = model(**unlabel(batch(), [0, 1]), mode='loss')
    total, log = model.parse_losses(losses)
    trained = [value for name, value in losses.items() if 'loss' in name]
    torch.testing.assert_close(total, torch.stack(trained).sum())
    assert 'distill.unlabelled.boxes' in log and not losses['distill.unlabelled.boxes'].requires_grad


def test_a_teacher_that_sees_nothing_is_an_empty_target(save_teacher: Any, batch: Any) -> None:
    model = build(save_teacher(), unlabelled=dict(min_score=0.999))
    losses = model(**unlabel(batch(), [0, 1]), mode='loss')
    assert losses.pop('distill.unlabelled.boxes') == 0
    wanted = model(**batch(boxes=0), mode='loss')
    for name, value in wanted.items():
        torch.testing.assert_close(losses[name], value)
    assert losses['loss_bbox'] == losses['distill.dense.loss'] == 0
    model.parse_losses(losses)[0].backward()
    assert all(parameter.grad is not None for parameter in model.student.parameters())


def test_without_losses_the_teacher_runs_for_unlabelled_frames_alone(save_teacher: Any, batch: Any) -> None:
    model = build(save_teacher(), losses={})
    asked = []
    model.teacher.register_forward_hook(lambda *_: asked.append(1))
    own = {'loss_cls', 'loss_bbox', 'd0.loss_cls', 'd0.loss_bbox', 'loss_heatmap'}
    assert set(model(**batch(), mode='loss')) == own
    assert not asked
    assert 'distill.unlabelled.boxes' in model(**unlabel(batch(), [0]), mode='loss')
    assert len(asked) == 1


def test_weight_zero_leaves_the_frame_to_the_distillation_losses(save_teacher: Any, batch: Any) -> None:
    model = build(save_teacher(), unlabelled=dict(min_score=SCORE, weight=0.0))
    losses = model(**unlabel(batch(2), [1]), mode='loss')
    data = batch(2)
    inputs = {key: value[:1] for key, value in data['inputs'].items()}
    alone = dict(inputs=inputs, data_samples=data['data_samples'][:1])
    wanted = model(**alone, mode='loss')
    for name in ('loss_cls', 'loss_bbox', 'd0.loss_cls', 'loss_heatmap'):
        torch.testing.assert_close(losses[name], wanted[name])
    assert not torch.isclose(losses['distill.dense.loss'], wanted['distill.dense.loss'])


def test_a_camera_teacher(save_teacher: Any, batch: Any) -> None:
    """Self-training: the teacher has the student's sensor and architecture; nothing reads points."""
    model = build(save_teacher(), teacher=dict(type='FakeDetector', source='imgs'), losses={})
    data = unlabel(batch(), [0, 1])
    data['inputs'].pop('points')
    losses = model(**data, mode='loss')
    assert 'distill.unlabelled.boxes' in losses
    model.parse_losses(losses)[0].backward()
    assert all(parameter.grad is None for parameter in model.teacher.parameters())


def test_unlabelled_frames_are_refused_by_name_without_the_option(save_teacher: Any, batch: Any) -> None:
    for losses in (LOSSES, {}):
        model = build(save_teacher(), unlabelled=None, losses=losses)
        with pytest.raises(ValueError, match=r'sample token1 is an unlabelled frame.*unlabelled=dict\(min_score=0.3\)'):
            model(**unlabel(batch(), [1]), mode='loss')
    student = model.student
    data = unlabel(batch(), [0])
    with pytest.raises(ValueError, match='sample token0 is an unlabelled frame'):
        student.loss(data['inputs'], data['data_samples'])


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (dict(score=0.3), r"unknown key \['score'\] in unlabelled; known are \['min_score', 'max_boxes', 'weight'\]"),
        (dict(min_score=1.0), r'min_score must lie in \[0, 1\), got 1.0'),
        (dict(max_boxes=0), 'max_boxes must be at least 1, got 0'),
        (dict(weight=-1.0), 'weight must be at least 0, got -1.0'),
    ],
)
def test_options_out_of_range(save_teacher: Any, option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(save_teacher(), unlabelled=option)


def test_no_loss_may_have_its_name(save_teacher: Any) -> None:
    with pytest.raises(ValueError, match="cannot be called 'unlabelled'"):
        build(save_teacher(), losses=dict(unlabelled=LOSSES['dense']))


def test_a_cache_of_too_few_queries_is_refused() -> None:
    class Cut:
        taps = ('bev', 'states', 'logits', 'codes', 'references')
        queries, num_classes = 50, 3
        grid = BEVGrid((-8.0, -6.0, -5.0, 8.0, 6.0, 3.0), 6, 8)

    check_wiring({'unlabelled': PseudoLabels(max_boxes=50)}, Cut(), Cut())
    with pytest.raises(ValueError, match='reads the best 300 queries of the teacher, the cache has the best 50'):
        check_wiring({'unlabelled': PseudoLabels()}, Cut(), Cut())
