"""A distiller of stand-ins."""

from __future__ import annotations

from typing import Any

import torch
from mmdet3d.registry import MODELS

from bevdistill.distillers import BEVDistiller

DENSE = dict(type='DenseBEVLoss', mask=dict(type='SoftForeground'))
SPARSE = dict(
    type='InstanceDistillLoss',
    pairing=dict(type='TeacherBoxPairing', max_boxes=4),
    quality=dict(type='ScoreIoUQuality'),
    terms=dict(
        box=dict(type='BoxCodeTerm', weight=0.25, layers='all'),
        contrast=dict(
            type='StateContrastTerm',
            student_critic=dict(type='MLPCritic', in_channels=4, channels=5),
            teacher_critic=dict(type='MLPCritic', in_channels=4, channels=5),
        ),
    ),
)


def build(checkpoint: Any, **changes: Any) -> BEVDistiller:
    """The distiller, its config changed at the top."""
    config = dict(
        type='BEVDistiller',
        student=dict(type='FakeDetector', source='imgs'),
        teacher=dict(type='FakeDetector', source='points'),
        teacher_checkpoint=None if checkpoint is None else str(checkpoint),
        losses=dict(dense=DENSE, sparse=SPARSE),
    )
    torch.manual_seed(1)
    return MODELS.build(config | changes)
