"""Unlabelled frames get the same targets from a cached teacher as from a live one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS

CONFIG = dict(
    type='BEVDistiller',
    student=dict(type='FakeDetector', source='imgs'),
    teacher=dict(type='FakeDetector', source='points'),
    losses=dict(dense=dict(type='DenseBEVLoss', mask=dict(type='SoftForeground'))),
    unlabelled=dict(min_score=0.5, max_boxes=5),
)


@pytest.mark.parametrize('top_k', [None, 5])
def test_cached_and_live_agree(
    save_teacher: Callable[..., Any], fill_cache: Callable[..., Any], batch: Callable[..., Any], top_k: int | None
) -> None:
    path, data = save_teacher(), batch(3)
    cache = fill_cache(path, data, dtype='float16', taps=['bev'], top_k=top_k)
    for place in (0, 2):
        data['data_samples'][place].set_metainfo(dict(labelled=False))
        del data['data_samples'][place].gt_instances_3d
    found = []
    for folder in (None, str(cache.folder)):
        torch.manual_seed(1)
        model = MODELS.build(CONFIG | dict(teacher_checkpoint=str(path), teacher_cache=folder)).eval()
        losses = model(**data, mode='loss')
        teacher = model.teacher(data['inputs'], data['data_samples'])
        filled, _ = model.unlabelled.fill(data['data_samples'], teacher, model.grid)
        found.append((losses, [sample.gt_instances_3d for sample in filled]))
    (live, ours), (cached, theirs) = found
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.bboxes_3d.tensor, other.bboxes_3d.tensor)
        assert torch.equal(one.labels_3d, other.labels_3d)
    assert live['distill.unlabelled.boxes'] == cached['distill.unlabelled.boxes'] > 0
    # Maps are kept in float16.
    torch.testing.assert_close(live['distill.dense.loss'], cached['distill.dense.loss'], rtol=1e-3, atol=0)
