"""The distiller with the real student and teacher, in the numbers of the CPU-sized configs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import bevdistill  # noqa: F401
from bevdistill.checkpoints import BOX_CONVENTION, META_KEY
from bevdistill.distillers import BEVDistiller, offered_taps

REPO = Path(__file__).resolve().parents[2]
CONFIGS = REPO / 'configs' / 'synthetic' / 'bevdistill'


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmdet3d')
    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    yield
    MessageHub._instance_dict.clear()


def model_config() -> dict[str, Any]:
    config = Config.fromfile(CONFIGS / 'bevdistill_r50_1x_nus-3d.py').model.to_dict()
    config['class_names'] = None
    return config


def build(tmp_path: Path, **changes: Any) -> BEVDistiller:
    config = model_config() | changes
    torch.manual_seed(0)
    teacher = MODELS.build(config['teacher'])
    teacher.init_weights()
    identity = dict(
        classes=[f'c{index}' for index in range(10)],
        point_cloud_range=list(teacher.grid.point_cloud_range),
        box_convention=BOX_CONVENTION,
    )
    path = tmp_path / 'teacher.pth'
    torch.save(dict(meta={META_KEY: identity}, state_dict=teacher.state_dict()), path)
    config['teacher_checkpoint'] = str(path)
    return MODELS.build(config)


def raw_batch(boxes: tuple[int, ...] = (3, 0)) -> dict[str, Any]:
    """What the data loader gives: two samples, the second without objects."""
    images, points, samples = [], [], []
    for count in boxes:
        images.append(torch.randint(0, 255, (1, 6, 3, 64, 176), dtype=torch.uint8))
        cloud = torch.rand(400, 5) * torch.tensor([50.0, 50.0, 3.0, 1.0, 0.1])
        points.append(cloud - torch.tensor([25.0, 25.0, 2.0, 0.0, 0.0]))
        matrices = np.eye(4)[None, None] * 100 + np.random.rand(1, 6, 4, 4) * 10
        sample = Det3DDataSample(
            metainfo=dict(
                token='t',
                lidar2img=matrices.astype(np.float32),
                can_bus=np.zeros((1, 18), dtype=np.float32),
                history_exists=np.zeros(1, dtype=bool),
                img_shape=[(64, 176)] * 6,
                box_type_3d=LiDARInstance3DBoxes,
            )
        )
        box = torch.rand(count, 9) * 4 + 1
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=LiDARInstance3DBoxes(box, box_dim=9), labels_3d=torch.randint(0, 10, (count,))
        )
        samples.append(sample)
    return dict(inputs=dict(img=images, points=points), data_samples=samples)


def test_one_step_of_the_cpu_config(tmp_path: Path) -> None:
    model = build(tmp_path)
    model.init_weights()
    inherited, given = model.student.pts_bbox_head, model.teacher.detector.pts_bbox_head
    for part in ('transformer.decoder', 'cls_branches', 'reg_branches', 'query_embedding', 'shared_conv', 'task_heads'):
        ours, theirs = inherited.get_submodule(part).state_dict(), given.get_submodule(part).state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    data = model.data_preprocessor(raw_batch(), training=True)
    losses = model.train()(**data, mode='loss')
    assert {'loss_cls', 'loss_heatmap', 'distill.dense.loss', 'distill.sparse.loss_box'} <= set(losses)
    assert all(bool(value.isfinite()) for value in losses.values())
    total, _ = model.parse_losses(losses)
    total.backward()
    parameters = model.named_parameters()
    assert [name for name, parameter in parameters if parameter.requires_grad and parameter.grad is None] == []
    for side in (model.student, model.teacher.detector):
        outputs = side.forward_outputs(data['inputs'], data['data_samples'])
        assert outputs.taps() == offered_taps(side)
    model.eval()
    results = model(**model.data_preprocessor(raw_batch(), training=False), mode='predict')
    assert all('bboxes_3d' in sample.pred_instances_3d for sample in results)


def test_released_form_needs_heatmaps(tmp_path: Path) -> None:
    config = Config.fromfile(REPO / 'configs' / 'bevdistill' / 'bevdistill_r50_1x_released_nus-3d.py').model.to_dict()
    losses = config['losses']
    for side in ('student_critic', 'teacher_critic'):
        losses['contrast'][side] |= dict(in_channels=64, channels=32)
    model = build(tmp_path, losses=losses)
    model.init_weights()
    values = model(**model.data_preprocessor(raw_batch(), training=True), mode='loss')
    terms = {name.removeprefix('distill.') for name in values if name.startswith('distill.') and 'loss' in name}
    assert terms == {'dense.loss', 'box.loss_box', 'box.d0.loss_box', 'contrast.loss'}
    student = model_config()['student']
    student['pts_bbox_head']['aux_heatmap'] = None
    with pytest.raises(ValueError, match=r"loss 'dense' .* wants 'student.heatmap_features'"):
        build(tmp_path, losses=losses, student=student)
