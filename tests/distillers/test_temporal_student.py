"""A distiller whose student has history: queues in training, the memory of scenes in testing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from test_real_detectors import build, model_config, raw_batch

from bevdistill.distillers import BEVDistiller

QUEUE = 3


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    init_default_scope('mmdet3d')
    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    yield
    MessageHub._instance_dict.clear()


def temporal_distiller(tmp_path: Path) -> BEVDistiller:
    model = build(tmp_path, student=model_config()['student'] | dict(queue_length=QUEUE))
    model.init_weights()
    return model


def raw_queue(length: int, frame: int = 5) -> dict[str, Any]:
    """Two samples of different scenes, as the data loader gives them; the second starts its scene."""
    batch = raw_batch()
    images, samples = batch['inputs']['img'], batch['data_samples']
    for place, sample in enumerate(samples):
        images[place] = torch.randint(0, 255, (length, *images[place].shape[1:]), dtype=torch.uint8)
        state = np.random.rand(length, 18)
        sample.set_metainfo(
            dict(
                lidar2img=np.repeat(sample.lidar2img, length, axis=0),
                can_bus=state.astype(np.float32),
                can_bus_absolute=state[-1],
                history_exists=np.arange(length) > (length - 1 if place else 0),
                scene_token=f'scene{place}',
                frame_idx=0 if place else frame,
            )
        )
    return batch


def test_training_uses_the_queue_and_the_teacher_the_current_frame(tmp_path: Path) -> None:
    model = temporal_distiller(tmp_path).train()
    data = model.data_preprocessor(raw_queue(QUEUE), training=True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert {'loss_cls', 'distill.dense.loss', 'distill.sparse.loss_box'} <= set(losses)
    parameters = model.named_parameters()
    assert [name for name, parameter in parameters if parameter.requires_grad and parameter.grad is None] == []
    assert all(not part.training for part in model.teacher.detector.modules())
    with torch.no_grad():
        before = model(**data, mode='loss')['distill.dense.loss']
        data['inputs']['imgs'][:, 0] += 1
        assert model(**data, mode='loss')['distill.dense.loss'] != before, 'history reaches what is distilled'
    with pytest.raises(ValueError, match='trains on queues of 3 frames'):
        model(**model.data_preprocessor(raw_queue(2), training=True), mode='loss')


@torch.no_grad()
def test_testing_remembers_and_each_evaluation_forgets(tmp_path: Path) -> None:
    model = temporal_distiller(tmp_path).eval()
    memory = model.student.memory
    first, second = raw_queue(1, frame=5), raw_queue(1, frame=6)

    def scores(batch: dict[str, Any]) -> torch.Tensor:
        results = model.test_step(dict(inputs=dict(batch['inputs']), data_samples=batch['data_samples']))
        return results[0].pred_instances_3d.scores_3d.clone()

    alone = scores(second)
    model.eval()
    assert len(memory) == 0
    scores(first)
    assert not torch.equal(scores(second), alone)
    assert len(memory) == 3, 'the first scene goes on, the second has begun again'
    model.train()
    assert len(memory) == 0
