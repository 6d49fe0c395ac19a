"""The recorded training step again, from a public file that went through the converter: today's boxes, same losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import test_end_to_end_golden as recorded_step
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from torch import Tensor

from bevdistill.checkpoints.official import BEVFORMER_CLASSES, CLASSES, convert_file

PARTS = ('student.img_backbone', 'student.img_neck', 'teacher.pts_backbone', 'teacher.pts_neck')


def convert(folder: Path, arrays: dict[str, Tensor], classes: tuple[str, ...]) -> tuple[dict[str, Tensor], Path]:
    """The student's and heads' weights, and the teacher's file, as the converter writes them.

    Backbones were not recorded; parts that only stand for them are taken out again.
    """
    weights = {name[2:]: value for name, value in arrays.items() if name.startswith('w.')}
    weights |= {f'{part}.conv.weight': torch.ones(1) for part in PARTS}
    official, out, teacher = (folder / f'{name}.pth' for name in ('official', 'out', 'teacher'))
    torch.save(dict(meta=dict(CLASSES=classes, mmdet3d_version='0.17.1'), state_dict=weights), official)
    convert_file(official, out, 'distiller', teacher, progress=lambda line: None)
    for path in (out, teacher):
        checkpoint = torch.load(path, weights_only=True)
        heads = {n: w for n, w in checkpoint['state_dict'].items() if 'backbone' not in n and 'neck' not in n}
        torch.save(checkpoint | dict(state_dict=heads), path)
    return torch.load(out, weights_only=True)['state_dict'], teacher


def turn_ground_truth(data: dict[str, Any], classes: tuple[str, ...], old_convention: Any) -> None:
    """Boxes and labels of the data samples in today's convention."""
    instances = data['data_samples'][0].gt_instances_3d
    boxes = old_convention.boxes(instances.bboxes_3d.tensor)
    instances.bboxes_3d = LiDARInstance3DBoxes(boxes, box_dim=9)
    instances.labels_3d = torch.tensor([CLASSES.index(classes[label]) for label in instances.labels_3d.tolist()])


@pytest.mark.parametrize('classes', [CLASSES, BEVFORMER_CLASSES], ids=['METAINFO', 'BEVFormer'])
def test_losses_do_not_depend_on_the_convention(golden, old_convention, tmp_path, classes) -> None:
    init_default_scope('mmdet3d')
    # A run of another test in this process leaves the classes of its data set behind.
    MessageHub.get_instance(f'converted-{tmp_path.name}')
    _, recorded = golden('distill_end_to_end')
    arrays = {name: torch.from_numpy(value.copy()) for name, value in recorded.items()}
    weights, teacher = convert(tmp_path, arrays, classes)
    model = MODELS.build(
        dict(
            type='BEVDistiller',
            student=recorded_step.student_config(),
            teacher=recorded_step.teacher_config(),
            teacher_checkpoint=str(teacher),
            class_names=CLASSES,
            losses=recorded_step.released_losses(*recorded_step.VARIANTS['release']),
        )
    )
    model.load_state_dict(weights, strict=True)
    data = recorded_step.inputs_of(arrays)
    turn_ground_truth(data, classes, old_convention)
    values = {name: value for name, value in model.train()(**data, mode='loss').items() if 'loss' in name}
    for name, value in values.items():
        want = arrays[f'out.release.{recorded_step.NAMES[name]}'].squeeze()
        torch.testing.assert_close(value, want, **recorded_step.TOLERANCE, msg=lambda text, n=name: f'{n}: {text}')
    total, _ = model.parse_losses(values)
    torch.testing.assert_close(total, arrays['out.release.total'].squeeze(), **recorded_step.TOLERANCE)
