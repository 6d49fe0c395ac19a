"""Models of the CPU-sized configs with made-up samples, for tests that need a whole model and no data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from torch import Tensor, nn

import bevdistill  # noqa: F401
from bevdistill.checkpoints import BOX_CONVENTION, META_KEY

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'synthetic'
FILES = dict(
    student='bevformer/bevformer_r50_1x_nus-3d.py',
    temporal='bevformer/bevformer-t_r50_2x_nus-3d.py',
    teacher='object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py',
    distiller='bevdistill/bevdistill_r50_1x_nus-3d.py',
)
HEIGHT, WIDTH, CAMERAS = 64, 96, 6
CELLS = 16, 20
"""Rows and columns of the map of a student alone, of a third of the cells; beside a teacher it is the teacher's."""


def model_config(name: str, folder: Path) -> dict[str, Any]:
    """Config of a model; a distiller's with a checkpoint of a teacher as it was initialised."""
    config: dict[str, Any] = Config.fromfile(CONFIGS / FILES[name]).model.to_dict()
    if name in ('student', 'temporal'):
        config['pts_bbox_head']['grid'].update(rows=CELLS[0], cols=CELLS[1])
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
    # Processes that share the folder write files of their own.
    path = folder / f'teacher{os.getpid()}.pth'
    torch.save(dict(meta={META_KEY: identity}, state_dict=teacher.state_dict()), path)
    return config | dict(teacher_checkpoint=str(path), class_names=classes)


def build(config: dict[str, Any]) -> nn.Module:
    """The model with its first weights, in training mode, half-way through a training."""
    init_default_scope('mmdet3d')
    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    torch.manual_seed(3)
    model: nn.Module = MODELS.build(config)
    model.init_weights()
    return model.train()


def sample(
    index: int, boxes: int, queue: int, size: tuple[int, int] = (HEIGHT, WIDTH)
) -> tuple[Tensor, Tensor, Det3DDataSample]:
    """Images, points and ground truth, the same wherever the sample is seen."""
    generator = np.random.default_rng(index)
    images = torch.from_numpy(generator.integers(0, 255, (queue, CAMERAS, 3, *size), dtype=np.uint8))
    low, extent = np.array([-25, -25, -2, 0, 0]), np.array([50, 50, 3, 1, 0.1])
    points = torch.from_numpy((low + generator.random((400, 5)) * extent).astype(np.float32))
    matrices = np.eye(4) * 100 + generator.random((queue, CAMERAS, 4, 4)) * 10
    # Images of another size show the same.
    matrices[..., :2, :] *= np.array([[size[1] / WIDTH], [size[0] / HEIGHT]])
    data = Det3DDataSample(
        metainfo=dict(
            token=f'token{index}',
            scene_token='scene',
            frame_idx=index,
            lidar2img=matrices.astype(np.float32),
            can_bus=generator.random((queue, 18)).astype(np.float32),
            history_exists=np.arange(queue) > 0,
            img_shape=[size] * CAMERAS,
            box_type_3d=LiDARInstance3DBoxes,
        )
    )
    box = torch.from_numpy((generator.random((boxes, 9)) * 4 + 1).astype(np.float32))
    labels = torch.from_numpy(generator.integers(0, 10, boxes))
    data.gt_instances_3d = InstanceData(bboxes_3d=LiDARInstance3DBoxes(box, box_dim=9), labels_3d=labels)
    return images, points, data


def raw_batch(
    boxes: Sequence[int],
    chosen: Sequence[int] | None = None,
    empty: Sequence[int] = (),
    queue: int = 1,
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> dict[str, Any]:
    """What the data loader gives.

    Args:
        boxes: Number of objects of each sample.
        chosen: Which of these samples, all by default.
        empty: Samples without points.
        queue: Frames of each sample.
        size: Height and width of its images.
    """
    chosen = range(len(boxes)) if chosen is None else chosen
    images, points, samples = zip(*(sample(index, boxes[index], queue, size) for index in chosen), strict=True)
    points = [cloud[:0] if index in empty else cloud for index, cloud in zip(chosen, points, strict=True)]
    return dict(inputs=dict(img=list(images), points=points), data_samples=list(samples))
