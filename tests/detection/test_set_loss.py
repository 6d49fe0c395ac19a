"""Set loss: loop oracle, edges, gradients, ranks."""

from __future__ import annotations

import pytest
import torch

from bevdistill.detection import CODE_WEIGHTS, SetLoss, gather_targets
from bevdistill.structures import BEVGrid, BEVOutputs, Targets, encode_boxes

GRID = BEVGrid((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), 2, 2)


def outputs_of(logits: torch.Tensor, codes: torch.Tensor) -> BEVOutputs:
    layers, batch, queries, _ = logits.shape
    return BEVOutputs(
        grid=GRID,
        bev=torch.zeros(batch, 1, 2, 2),
        states=torch.zeros(layers, batch, queries, 1),
        logits=logits,
        codes=codes,
        references=torch.zeros(layers, batch, queries, 3),
    )


def some_targets(*counts: int) -> Targets:
    boxes = [torch.cat((torch.randn(n, 3) * 10, torch.rand(n, 3) + 1, torch.randn(n, 3)), dim=1) for n in counts]
    return Targets(tuple(boxes), tuple(torch.randint(0, 3, (n,)) for n in counts))


def test_equals_loops():
    logits, codes, targets = torch.randn(2, 3, 7, 3), torch.randn(2, 3, 7, 10), some_targets(4, 0, 2)
    loss = SetLoss()
    assigned = loss.matcher.match(logits, codes, targets)
    losses = loss(outputs_of(logits, codes), targets)
    for layer, prefix in enumerate(('d0.', '')):
        focal, box = torch.tensor(0.0), torch.tensor(0.0)
        for b in range(3):
            for q in range(7):
                target = int(assigned[layer, b, q])
                for k in range(3):
                    p = logits[layer, b, q, k].sigmoid()
                    if target >= 0 and int(targets.labels[b][target]) == k:
                        focal -= 0.25 * (1 - p) ** 2 * p.log()
                    else:
                        focal -= 0.75 * p**2 * (1 - p).log()
                if target >= 0:
                    error = (codes[layer, b, q] - encode_boxes(targets.boxes[b][target])).abs()
                    box += sum(weight * value for weight, value in zip(CODE_WEIGHTS, error, strict=True))
        torch.testing.assert_close(losses[f'{prefix}loss_cls'], 2 * focal / 6)
        torch.testing.assert_close(losses[f'{prefix}loss_bbox'], 0.25 * box / 6)


def test_labels_never_take_the_focal_loss_to_a_compiled_operator():
    """On CUDA mmdet hands labels that are numbers to mmcv's operator; a row for each query it computes by torch."""
    seen = []
    loss, targets = SetLoss(), some_targets(2)
    loss.loss_cls.register_forward_pre_hook(lambda module, args: seen.append(args))
    loss(outputs_of(torch.randn(1, 1, 5, 3), torch.randn(1, 1, 5, 10)), targets)
    (logits, labels), = seen
    assert labels.shape == logits.shape == (5, 3)
    assert labels.sum(dim=1).tolist().count(1) == 2 and int(labels.sum()) == 2


def test_batch_is_the_positive_weighted_mean_of_samples():
    logits, codes, targets = torch.randn(2, 2, 7, 3), torch.randn(2, 2, 7, 10), some_targets(4, 1)
    loss = SetLoss()
    both = loss(outputs_of(logits, codes), targets)
    parts = [
        loss(outputs_of(logits[:, [b]], codes[:, [b]]), Targets((targets.boxes[b],), (targets.labels[b],)))
        for b in range(2)
    ]
    for name, value in both.items():
        torch.testing.assert_close(value, (4 * parts[0][name] + parts[1][name]) / 5)


def test_a_sample_of_weight_two_counts_as_two():
    logits, codes, targets = torch.randn(2, 3, 7, 3), torch.randn(2, 3, 7, 10), some_targets(4, 1, 0)
    places = [0, 1, 1, 2]
    repeated = Targets(tuple(targets.boxes[i] for i in places), tuple(targets.labels[i] for i in places))
    weighted = Targets(targets.boxes, targets.labels, (1.0, 2.0, 1.0))
    loss = SetLoss()
    wanted = loss(outputs_of(logits[:, places], codes[:, places]), repeated)
    for name, value in loss(outputs_of(logits, codes), weighted).items():
        torch.testing.assert_close(value, wanted[name])
    alone = loss(outputs_of(logits[:, :1], codes[:, :1]), Targets(targets.boxes[:1], targets.labels[:1]))
    for name, value in loss(outputs_of(logits, codes), Targets(targets.boxes, targets.labels, (1.0, 0.0, 0.0))).items():
        torch.testing.assert_close(value, alone[name])


def test_no_ground_truth():
    logits = torch.randn(2, 2, 7, 3, requires_grad=True)
    codes = torch.randn(2, 2, 7, 10, requires_grad=True)
    losses = SetLoss()(outputs_of(logits, codes), some_targets(0, 0))
    assert losses['loss_bbox'] == 0 and losses['d0.loss_bbox'] == 0
    p = logits[-1].sigmoid()
    torch.testing.assert_close(losses['loss_cls'], -2 * 0.75 * (p.square() * (1 - p).log()).sum(), msg='over 1')
    sum(losses.values()).backward()
    assert codes.grad is not None and not codes.grad.any()
    assert logits.grad is not None and (logits.grad > 0).all()


def test_more_boxes_than_queries():
    losses = SetLoss()(outputs_of(torch.randn(1, 1, 3, 3), torch.randn(1, 1, 3, 10)), some_targets(8))
    assert all(value.isfinite() for value in losses.values())


def test_a_diverged_prediction_is_not_hidden():
    codes = torch.full((1, 1, 3, 10), float('nan'))
    losses = SetLoss()(outputs_of(torch.randn(1, 1, 3, 3), codes), some_targets(1))
    assert losses['loss_bbox'].isnan() and losses['loss_cls'].isfinite()


def test_code_weights():
    outputs, targets = outputs_of(torch.randn(1, 1, 4, 3), torch.randn(1, 1, 4, 10)), some_targets(2)
    loss = SetLoss()
    assert loss(outputs, targets, [0.0] * 10)['loss_bbox'] == 0
    half = loss(outputs, targets, torch.full((10,), 0.5))['loss_bbox']
    torch.testing.assert_close(half * 2, loss(outputs, targets, [1.0] * 10)['loss_bbox'])


def test_gather_targets():
    targets = some_targets(2, 0, 1)
    assigned = torch.tensor([[[1, -1], [-1, -1], [-1, 0]]])
    labels, codes = gather_targets(assigned, targets, num_classes=3)
    assert labels.tolist() == [[[int(targets.labels[0][1]), 3], [3, 3], [3, int(targets.labels[2][0])]]]
    torch.testing.assert_close(codes[0, 0, 0], encode_boxes(targets.boxes[0])[1])
    torch.testing.assert_close(codes[0, 2, 1], encode_boxes(targets.boxes[2])[0])
    assert codes[0, 1].isnan().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_outputs(dtype):
    logits, codes, targets = torch.randn(1, 1, 4, 3), torch.randn(1, 1, 4, 10), some_targets(2)
    losses = SetLoss()(outputs_of(logits.to(dtype), codes.to(dtype)), targets)
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())


def test_a_box_of_unknown_velocity_is_classified_but_not_regressed():
    outputs, targets = outputs_of(torch.randn(1, 1, 5, 3), torch.randn(1, 1, 5, 10)), some_targets(2)
    loss = SetLoss()
    known = loss(outputs, targets)
    targets.boxes[0][0, 7] = float('nan')
    got, assigned = loss(outputs, targets), loss.matcher.match(outputs.logits, outputs.codes, targets)
    torch.testing.assert_close(got['loss_cls'], known['loss_cls'])
    query = assigned[0, 0].tolist().index(1)
    error = (outputs.codes[0, 0, query] - encode_boxes(targets.boxes[0])[1]).abs() * torch.tensor(CODE_WEIGHTS)
    torch.testing.assert_close(got['loss_bbox'], 0.25 * error.sum() / 2)


def test_configured_parts_are_used():
    matcher = dict(type='HungarianMatcher', cls_cost=dict(type='mmdet.FocalLossCost', weight=7.0))
    loss = SetLoss(matcher, dict(type='mmdet.QualityFocalLoss'), dict(type='mmdet.L1Loss', loss_weight=9.0))
    assert (loss.matcher.cls_cost.weight, loss.loss_bbox.loss_weight) == (7.0, 9.0)
    assert type(loss.loss_cls).__name__ == 'QualityFocalLoss'
