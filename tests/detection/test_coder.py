"""Decoding of logits and codes into detections."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes

from bevdistill.detection import NMSFreeCoder
from bevdistill.structures import decode_boxes

RANGE = [-61.2, -61.2, -10.0, 61.2, 61.2, 10.0]


@pytest.mark.parametrize('variant', ['plain', 'thr', 'thr_fallback'])
def test_matches_original(golden, old_convention, variant):
    meta, data = golden('nms_free_coder')
    options = meta['config']['variants'][variant]
    coder = NMSFreeCoder(RANGE, options['max_num'], options['score_threshold'])
    logits = torch.from_numpy(data['in.all_cls_scores'])[-1]
    codes = old_convention.codes(torch.from_numpy(data['in.all_bbox_preds']))[-1]
    for sample, (boxes, scores, labels) in enumerate(coder.decode(logits, codes)):
        want = old_convention.boxes(torch.from_numpy(data[f'out.{variant}.{sample}.bboxes']))
        torch.testing.assert_close(scores, torch.from_numpy(data[f'out.{variant}.{sample}.scores']))
        assert torch.equal(labels, torch.from_numpy(data[f'out.{variant}.{sample}.labels']))
        torch.testing.assert_close(boxes[:, [0, 1, 2, 3, 4, 5, 7, 8]], want[:, [0, 1, 2, 3, 4, 5, 7, 8]])
        torch.testing.assert_close((boxes[:, 6] - want[:, 6]).cos(), torch.ones(len(want)))


def test_equals_loops():
    logits, codes = torch.randn(2, 7, 3), torch.randn(2, 7, 10) * 40
    coder = NMSFreeCoder(RANGE, max_num=12)
    for sample, (boxes, scores, labels) in enumerate(coder.decode(logits, codes)):
        pairs = sorted(((float(logits[sample, q, k]), q, k) for q in range(7) for k in range(3)), reverse=True)[:12]
        want = []
        for logit, query, label in pairs:
            box = decode_boxes(codes[sample, query])
            if all(RANGE[axis] <= box[axis] <= RANGE[axis + 3] for axis in range(3)):
                want.append((box, torch.tensor(logit).sigmoid(), label))
        assert labels.tolist() == [label for _, _, label in want]
        torch.testing.assert_close(scores, torch.stack([score for _, score, _ in want]))
        torch.testing.assert_close(boxes, torch.stack([box for box, _, _ in want]))


def test_instances_have_bottom_centres():
    codes = torch.zeros(1, 2, 10)
    codes[..., 5] = np.log(4.0)
    codes[..., 7] = 1
    (instances,) = NMSFreeCoder(RANGE, max_num=5).to_instances(torch.randn(1, 2, 1), codes, [Det3DDataSample()])
    assert isinstance(instances.bboxes_3d, LiDARInstance3DBoxes)
    assert len(instances) == 2
    torch.testing.assert_close(instances.bboxes_3d.bottom_center[:, 2], torch.full((2,), -2.0))
    torch.testing.assert_close(instances.bboxes_3d.gravity_center, torch.zeros(2, 3))


def test_ends_of_the_range_are_in_it_and_one_box_is_a_number():
    codes = torch.zeros(1, 3, 10)
    codes[0, 0, :2], codes[0, 1, :2], codes[0, 2, 0] = 4.0, -4.0, 4.001
    codes[..., 7] = 1
    limits = [-4.0, -4.0, -10.0, 4.0, 4.0, 10.0]
    ((boxes, _, _),) = NMSFreeCoder(limits).decode(torch.tensor([[[3.0], [2.0], [1.0]]]), codes)
    assert boxes[:, :2].tolist() == [[4.0, 4.0], [-4.0, -4.0]]
    ((boxes, scores, _),) = NMSFreeCoder(limits, max_num=1).decode(torch.tensor([[[3.0], [2.0], [1.0]]]), codes)
    assert len(boxes) == 1 and float(scores[0]) == pytest.approx(1 / (1 + np.exp(-3.0)))


def test_nothing_in_range():
    ((boxes, scores, labels),) = NMSFreeCoder(RANGE).decode(torch.randn(1, 4, 2), torch.full((1, 4, 10), 100.0))
    assert boxes.shape == (0, 9) and scores.shape == (0,) and labels.shape == (0,)


def test_rejects_bad_options():
    with pytest.raises(ValueError, match='six numbers'):
        NMSFreeCoder([1, 2, 3])
    with pytest.raises(ValueError, match='max_num must be positive'):
        NMSFreeCoder(RANGE, max_num=0)


@pytest.mark.parametrize(('scores', 'threshold', 'kept'), [
    ([0.6, 0.5, 0.4], 0.5, 1),  # Above, not at.
    ([0.45, 0.43, 0.1], 0.5, 1),  # At a lowered threshold counts.
    ([0.39, 0.3, 0.1], 0.5, 1),  # 0.45, 0.405, 0.3645.
    ([0.0125, 0.002], 0.02, 1),  # The sixth is 0.0106.
    ([0.0105, 0.002], 0.01 / 0.9, 1),  # The first is 0.01 itself.
    ([0.0099, 0.002], 0.5, 2),  # Once it fell under 0.01, everything is kept.
])  # fmt: skip
def test_threshold_falls_by_tenths_until_a_score_reaches_it(scores: list[float], threshold: float, kept: int) -> None:
    keep = NMSFreeCoder._above_threshold(torch.tensor(scores, dtype=torch.float64), threshold)
    assert keep.tolist() == [place < kept for place in range(len(scores))]


def test_a_score_above_the_threshold_does_not_bring_a_box_into_range():
    codes = torch.zeros(1, 2, 10)
    codes[0, 0, 0], codes[..., 7] = 70.0, 1.0
    ((boxes, scores, _),) = NMSFreeCoder(RANGE, score_threshold=0.5).decode(torch.tensor([[[3.0], [2.0]]]), codes)
    assert len(boxes) == 1 and float(scores[0]) == pytest.approx(1 / (1 + np.exp(-2.0)))
