"""One training step of student, teacher and distiller on all samples, or on a rank's."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rank_losses import Batch, critics
from torch import Tensor, nn
from twins import build, model_config, raw_batch

from bevdistill.distributed import HostDistributedDataParallel
from bevdistill.teachers import ObjectDGCNN


@dataclass(frozen=True)
class Run:
    """A model, the samples that it sees, which of them have no points, frames of a sample, and the run it must equal.

    A run with `equals` computes backbone and encoder again in the backward pass (``with_cp``).
    """

    model: str
    batch: Batch
    empty: tuple[int, ...] = ()
    queue: int = 1
    equals: str = ''


IMAGE = (32, 64)
"""Height and width: small, since float64 takes its time."""
RUNS = dict(
    student=Run('student', Batch((3, 0, 1), ranks=(2, 1))),
    temporal=Run('temporal', Batch((2, 1)), queue=3),
    # The first rank's point cloud is empty.
    teacher=Run('teacher', Batch((0, 3, 1), ranks=(1, 2)), empty=(0,)),
    distiller=Run('distiller', Batch((3, 0, 1), ranks=(2, 1))),
    distiller_even=Run('distiller', Batch((2, 3))),
    temporal_recomputed=Run('temporal', Batch((2, 1)), queue=3, equals='temporal'),
    distiller_recomputed=Run('distiller', Batch((2, 3)), equals='distiller_even'),
)


def more_losses(channels: int) -> dict[str, Any]:
    """Losses beside the config's own that look beyond one sample."""
    sides = critics(norm='BN', projections=1)
    for critic in sides.values():
        critic['in_channels'] = channels
    contrast = dict(type='BEVContrastLoss', negatives='batch', layers='last', temperature=0.5)
    return dict(
        response=dict(type='HeatmapDistillLoss', mask=dict(type='SoftForeground')), places=contrast | sides
    )


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


@cache
def model_of(kind: str, queue: int, recomputed: bool, folder: Path) -> nn.Module:
    """A model before its first step, made once: forks have those of the process that they come from."""
    config = model_config(kind, folder)
    if 'losses' in config:
        config['losses'] |= more_losses(config['student']['pts_bbox_head']['embed_dims'])
    if queue > 1:
        config['queue_length'] = queue
    if recomputed:
        student = config.get('student', config)
        student['img_backbone']['with_cp'] = student['pts_bbox_head']['encoder']['with_cp'] = True
    return build(config)


def train_step(name: str, rank: int | None, folder: Path) -> dict[str, Tensor]:
    """Losses of one forward pass, all gradients after the backward pass, and the running statistics."""
    run = RUNS[name]
    model = bare = deepcopy(model_of(run.model, run.queue, bool(run.equals), folder))
    torch.manual_seed(3)
    chosen = range(len(run.batch.boxes))[run.batch.rows(rank)]
    raw = raw_batch(run.batch.boxes, chosen, run.empty, run.queue, IMAGE)
    data = in_float64(bare, bare.data_preprocessor(raw, training=True))
    if rank is not None:
        model = HostDistributedDataParallel(bare, sync_bn=True, broadcast_buffers=False)
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
