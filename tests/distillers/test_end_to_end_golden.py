"""The released training step as a whole: real heads, real losses, recorded features in the place of backbones.

Boxes and codes stay in the old convention on both sides here: nothing in these losses depends on its meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.models.detectors.base import Base3DDetector
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor

import bevdistill.losses
import bevdistill.students.bevformer
import bevdistill.teachers.object_dgcnn  # noqa: F401
from bevdistill.structures import BEVOutputs, Targets
from bevdistill.students.bevformer import FrameGeometry

RANGE = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
GRID = dict(point_cloud_range=RANGE, rows=12, cols=12)
CODER = dict(type='NMSFreeCoder', post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=15)
TOLERANCE = dict(rtol=1e-4, atol=1e-4)


class RecordedDetector(Base3DDetector):
    """A real head on given features."""

    def __init__(self, head: dict[str, Any]) -> None:
        super().__init__()
        self.pts_bbox_head = MODELS.build(head)
        self.grid, self.num_classes = self.pts_bbox_head.grid, self.pts_bbox_head.num_classes

    def extract_feat(self, inputs: dict[str, Any]) -> Any:
        raise NotImplementedError

    def loss_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> dict[str, Tensor]:
        return self.pts_bbox_head.loss(outputs, Targets.from_samples(samples))

    loss = predict = _forward = extract_feat


@MODELS.register_module(force=True)
class RecordedStudent(RecordedDetector):
    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        bev = self.pts_bbox_head.encode(inputs['student'], inputs['frames'], inputs['prev_bev'])
        return self.pts_bbox_head(bev)


@MODELS.register_module(force=True)
class RecordedTeacher(RecordedDetector):
    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        return self.pts_bbox_head(inputs['teacher'])


def student_config() -> dict[str, Any]:
    head = dict(
        type='BEVFormerHead',
        grid=GRID,
        encoder=dict(
            num_layers=2, num_heads=4, num_levels=2, feedforward_channels=40, dropout=0.0, released_shift_both=True
        ),
        decoder=dict(num_layers=2, num_heads=4, feedforward_channels=40, dropout=0.0),
        coder=CODER,
        num_queries=25,
        embed_dims=24,
        num_cams=3,
        num_level_embeds=2,
        rotate_center=[6, 6],
        aux_heatmap=dict(share_channels=24),
    )
    return dict(type='RecordedStudent', head=head)


def teacher_config() -> dict[str, Any]:
    layers = dict(num_layers=2, num_heads=3, feedforward_channels=36, dropout=0.0)
    head = dict(
        type='ObjectDGCNNHead',
        grid=GRID,
        num_queries=26,
        embed_dims=24,
        num_levels=4,
        encoder=layers,
        decoder=layers,
        aux_heatmap=dict(share_channels=24, num_convs=2),
        coder=CODER,
    )
    return dict(type='RecordedTeacher', head=head)


def released_losses(tap: str, mask: dict[str, Any], channels: str) -> dict[str, dict[str, Any]]:
    critic = dict(type='MLPCritic', in_channels=24, channels=18, projections=1, depth=2, norm='BN')
    return dict(
        dense=dict(type='DenseBEVLoss', weight=0.01, tap='heatmap_features', mask=mask, channels=channels),
        sparse=dict(
            type='InstanceDistillLoss',
            pairing=dict(type='TeacherBoxPairing', max_boxes=10),
            quality=dict(type='ScoreQuality', released_squared=True),
            terms=dict(box=dict(type='BoxCodeTerm', weight=0.25, layers='all')),
        ),
        contrast=dict(
            type='BEVContrastLoss', weight=0.2, tap=tap, student_critic=critic, teacher_critic=critic, anchor='teacher'
        ),
    )


SOFT = dict(type='SoftForeground')
PREDICTED = dict(type='PredictedForeground', released_gradient=True, released_double_sigmoid=True)
VARIANTS = {
    'release': ('bev', SOFT, 'sum'),
    'fg_pred': ('bev', PREDICTED, 'sum'),
    'fg_none_heatmap_feat': ('heatmap_features', dict(type='AllCells'), 'sum'),
    'fg_point': ('bev', dict(type='QuerySampledForeground'), 'mean'),
}
NAMES = {
    'loss_cls': 'loss_cls',
    'loss_bbox': 'loss_bbox',
    'd0.loss_cls': 'd0.loss_cls',
    'd0.loss_bbox': 'd0.loss_bbox',
    'loss_heatmap': 'task0.loss_heatmap',
    'distill.dense.loss': 'bev_fit_loss',
    'distill.sparse.loss_box': 'loss_bbox_distill',
    'distill.sparse.d0.loss_box': 'd0.loss_bbox_distill',
    'distill.contrast.loss': 'relation_distill_loss',
    'distill.response.loss': 'heatmap_kl_loss',
}


def load_student(model: torch.nn.Module, arrays: dict[str, Tensor]) -> None:
    state = {name[2:]: weight for name, weight in arrays.items() if name.startswith('w.student.')}
    for side, projection, encoder in (('student', 'img_projs', 'encoder_img'), ('teacher', 'pts_projs', 'encoder_pts')):
        ours = f'losses.contrast.{side}_critic.'
        for name, weight in arrays.items():
            if name.startswith(f'w.cl_head.{projection}.0.0.'):
                state[f'{ours}projections.0.{name.rsplit(".", 1)[1]}'] = weight
            elif name.startswith(f'w.cl_head.{encoder}.'):
                state[f'{ours}mlp.{name.split(encoder + ".")[1]}'] = weight
    model.load_state_dict(state, strict=True)


def inputs_of(arrays: dict[str, Tensor]) -> dict[str, Any]:
    maps = [arrays[f'in.student_mlvl_feats_{level}'].requires_grad_() for level in range(2)]
    frames = FrameGeometry(arrays['in.lidar2img'].float(), arrays['in.can_bus'].float()[None], (96, 160))
    teacher = [arrays[f'in.teacher_mlvl_feats_{level}'] for level in range(4)]
    sample = Det3DDataSample()
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(arrays['in.gt_boxes'], box_dim=9), labels_3d=arrays['in.gt_labels']
    )
    inputs = dict(student=maps, frames=frames, prev_bev=arrays['in.prev_bev'], teacher=teacher)
    return dict(inputs=inputs, data_samples=[sample])


@pytest.mark.parametrize('variant', list(VARIANTS))
def test_released_training_step(golden, tmp_path: Path, variant: str) -> None:
    init_default_scope('mmdet3d')
    _, recorded = golden('distill_end_to_end')
    arrays = {name: torch.from_numpy(np.array(value)) for name, value in recorded.items()}
    checkpoint = tmp_path / 'teacher.pth'
    prefix = 'w.teacher.'
    torch.save({name[len(prefix) :]: w for name, w in arrays.items() if name.startswith(prefix)}, checkpoint)
    losses = released_losses(*VARIANTS[variant])
    if variant == 'fg_pred':
        mask = dict(type='AllCells')
        losses['response'] = dict(type='HeatmapDistillLoss', mask=mask, released_double_sigmoid=True)
    model = MODELS.build(
        dict(
            type='BEVDistiller',
            student=student_config(),
            teacher=teacher_config(),
            teacher_checkpoint=str(checkpoint),
            trust_teacher=True,
            losses=losses,
        )
    )
    load_student(model, arrays)
    data = inputs_of(arrays)
    values = {name: value for name, value in model.train()(**data, mode='loss').items() if 'loss' in name}
    prefix = f'out.{variant}.'
    want = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    for name, value in values.items():
        expected = want[NAMES[name]].squeeze()
        torch.testing.assert_close(value, expected, **TOLERANCE, msg=lambda text, n=name: f'{n}: {text}')
    recorded_names = {name for name in want if not name.startswith('grad.')} - {'total'}
    assert {NAMES[name] for name in values} == {name for name in recorded_names if 'loss_cls_distill' not in name}
    total, _ = model.parse_losses(values)
    torch.testing.assert_close(total, want['total'].squeeze(), **TOLERANCE)
    if variant == 'release':
        total.backward()
        check_gradients(model, data['inputs']['student'], want)


def check_gradients(model: Any, maps: list[Tensor], want: dict[str, Tensor]) -> None:
    named = dict(model.named_parameters())
    critics = {
        'cl_head.img_projs.0.0.weight': 'losses.contrast.student_critic.projections.0.weight',
        'cl_head.encoder_pts.0.weight': 'losses.contrast.teacher_critic.mlp.0.weight',
    }
    checked = 0
    for name, value in want.items():
        if not name.startswith('grad.'):
            continue
        name = name.removeprefix('grad.')
        if name.startswith('student_mlvl_feats_'):
            got = maps[int(name[-1])].grad
        else:
            got = named[critics.get(name, name)].grad
        assert got is not None, name
        scale = float(value.abs().max())
        torch.testing.assert_close(got / scale, value / scale, **TOLERANCE, msg=lambda text, n=name: f'{n}: {text}')
        checked += 1
    assert checked >= 8
