"""Student, teacher and distiller of the CPU-sized configs: one training step on all samples, or on a rank's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from rank_losses import Batch, critics
from torch import Tensor, nn

import bevdistill  # noqa: F401
from bevdistill.engine.parallel import HostDistributedDataParallel
from bevdistill.structures import BOX_CONVENTION, META_KEY
from bevdistill.teachers import ObjectDGCNN

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic'
HEIGHT, WIDTH, CAMERAS, CHANNELS = 64, 96, 6, 64


@dataclass(frozen=True)
class Run:
    """A model, the samples that it sees, and which of them have no points."""

    model: str
    batch: Batch
    empty: tuple[int, ...] = ()


RUNS = dict(
    student=Run('student', Batch((3, 0, 1), ranks=(2, 1))),
    # The first rank's point cloud is empty.
    teacher=Run('teacher', Batch((0, 3, 1), ranks=(1, 2)), empty=(0,)),
    distiller=Run('distiller', Batch((3, 0, 1), ranks=(2, 1))),
    distiller_even=Run('distiller', Batch((2, 3))),
)
FILES = dict(
    student='bevformer/bevformer_r50_1x_nus-3d.py',
    teacher='object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py',
    distiller='bevdistill/bevdistill_r50_1x_nus-3d.py',
)


def more_losses() -> dict[str, Any]:
    """Losses beside the config's own that look beyond one sample."""
    sides = critics(norm='BN', projections=1)
    for critic in sides.values():
        critic['in_channels'] = CHANNELS
    return dict(
        response=dict(type='HeatmapDistillLoss', mask=dict(type='SoftForeground')),
        places=dict(type='BEVContrastLoss', negatives='batch', layers='last', temperature=0.5, **sides),
    )


def model_config(name: str, folder: Path) -> dict[str, Any]:
    """Config of a model; a distiller's with a checkpoint of a teacher as it was initialised."""
    config: dict[str, Any] = Config.fromfile(CONFIGS / FILES[name]).model.to_dict()
    if name != 'distiller':
        return config
    torch.manual_seed(1)
    teacher = MODELS.build(config['teacher'])
    teacher.init_weights()
    classes = [f'class{index}' for index in range(teacher.num_classes)]
    identity = dict(
        classes=classes,
        point_cloud_range=list(teacher.grid.point_cloud_range),
        box_convention=BOX_CONVENTION,
    )
    path = folder / f'teacher{os.getpid()}.pth'
    torch.save(dict(meta={META_KEY: identity}, state_dict=teacher.state_dict()), path)
    config['losses'] |= more_losses()
    return config | dict(teacher_checkpoint=str(path), class_names=classes)


def sample(index: int, boxes: int) -> tuple[Tensor, Tensor, Det3DDataSample]:
    """Images, points and ground truth, the same wherever the sample is seen."""
    generator = np.random.default_rng(index)
    images = torch.from_numpy(generator.integers(0, 255, (1, CAMERAS, 3, HEIGHT, WIDTH), dtype=np.uint8))
    low, size = np.array([-25, -25, -2, 0, 0]), np.array([50, 50, 3, 1, 0.1])
    points = torch.from_numpy((low + generator.random((400, 5)) * size).astype(np.float32))
    matrices = np.eye(4) * 100 + generator.random((1, CAMERAS, 4, 4)) * 10
    data = Det3DDataSample(
        metainfo=dict(
            token=f'token{index}',
            scene_token='scene',
            frame_idx=index,
            lidar2img=matrices.astype(np.float32),
            can_bus=generator.random((1, 18)).astype(np.float32),
            history_exists=np.zeros(1, dtype=bool),
            img_shape=[(HEIGHT, WIDTH)] * CAMERAS,
            box_type_3d=LiDARInstance3DBoxes,
        )
    )
    box = torch.from_numpy((generator.random((boxes, 9)) * 4 + 1).astype(np.float32))
    labels = torch.from_numpy(generator.integers(0, 10, boxes))
    data.gt_instances_3d = InstanceData(bboxes_3d=LiDARInstance3DBoxes(box, box_dim=9), labels_3d=labels)
    return images, points, data


def raw_batch(run: Run, rank: int | None) -> dict[str, Any]:
    """What the data loader gives a rank, or one process."""
    chosen = range(len(run.batch.boxes))[run.batch.rows(rank)]
    images, points, samples = zip(*(sample(index, run.batch.boxes[index]) for index in chosen), strict=True)
    points = [cloud[:0] if index in run.empty else cloud for index, cloud in zip(chosen, points, strict=True)]
    return dict(inputs=dict(img=list(images), points=points), data_samples=list(samples))


def in_float64(model: nn.Module, data: dict[str, Any]) -> dict[str, Any]:
    """Make the trained network and what it reads float64: in float32 rounding switches units that stand at a kink.

    Losses and a distiller's teacher stay float32.
    """
    getattr(model, 'student', model).double()
    inputs = dict(data['inputs'])
    inputs['imgs'] = inputs['imgs'].double()
    if isinstance(model, ObjectDGCNN):
        inputs['voxels'] = inputs['voxels'] | dict(voxels=inputs['voxels']['voxels'].double())
    return data | dict(inputs=inputs)


def train_step(name: str, rank: int | None, folder: Path) -> dict[str, Tensor]:
    """Losses of one forward pass, all gradients after the backward pass, and the running statistics."""
    run = RUNS[name]
    init_default_scope('mmdet3d')
    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    torch.manual_seed(3)
    model = MODELS.build(model_config(run.model, folder))
    model.init_weights()
    model.train()
    bare: nn.Module = model
    data = in_float64(model, model.data_preprocessor(raw_batch(run, rank), training=True))
    if rank is not None:
        model = HostDistributedDataParallel(model, sync_bn=True, broadcast_buffers=False)
    losses = model(**data, mode='loss')
    total, _ = bare.parse_losses(losses)
    total.backward()
    result = {f'loss {key}': value.detach() for key, value in losses.items() if 'loss' in key}
    for key, parameter in bare.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            result[f'd {key}'] = parameter.grad
    for key, buffer in bare.named_buffers():
        if 'running_' in key or 'teacher_scale' in key:
            result[key] = buffer.clone().float()
    return result
