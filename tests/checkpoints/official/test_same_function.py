"""Recorded weights of the original heads go through the converter and predict the recorded boxes.

The recorded weights, boxes and codes are in the old convention, as public files are; what comes out is compared in
today's. Backbones were not recorded: here they are small, random, and not run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import bevdistill  # noqa: F401
from bevdistill.checkpoints import check_weights
from bevdistill.checkpoints.official import BEVFORMER_CLASSES, CLASSES, convert_file
from bevdistill.distillers.teacher_checkpoint import TeacherCheckpoint
from bevdistill.structures import Targets
from bevdistill.students.bevformer import FrameGeometry

RANGE = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
CODER = dict(type='NMSFreeCoder', post_center_range=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0], max_num=15)
CHECK = dict(atol=1e-4, rtol=1e-4)
ORDERS = {'METAINFO': CLASSES, 'BEVFormer': BEVFORMER_CLASSES}


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmdet3d')


def recorded(golden: Any, case: str) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Tensor]]:
    """Configuration, arrays, and weights of a recorded head."""
    meta, arrays = golden(case)
    data = {name: torch.from_numpy(value) for name, value in arrays.items()}
    return meta['config'], data, {name[2:]: value for name, value in data.items() if name.startswith('w.')}


def converted(folder: Path, model: nn.Module, head: dict[str, Tensor], kind: str, order: str) -> Path:
    """A public file with a recorded head and the model's own backbone, converted."""
    weights = {name: value for name, value in model.state_dict().items() if not name.startswith('pts_bbox_head.')}
    weights |= {f'pts_bbox_head.{name}': value for name, value in head.items()}
    meta = dict(mmdet3d_version='0.17.1', CLASSES=list(ORDERS[order]))
    torch.save(dict(meta=meta, state_dict=weights), folder / 'official.pth')
    convert_file(folder / 'official.pth', folder / 'converted.pth', kind, progress=lambda line: None)
    return folder / 'converted.pth'


def own_columns(values: Tensor, order: str) -> Tensor:
    """Columns of classes in the file's order, in ours."""
    return values[..., [ORDERS[order].index(name) for name in CLASSES]]


def own_labels(labels: Tensor, order: str) -> Tensor:
    return torch.tensor([CLASSES.index(ORDERS[order][label]) for label in labels.tolist()])


def check_boxes(head: Any, outputs: Any, data: dict[str, Tensor], prefix: str, order: str, old_convention: Any) -> None:
    ((boxes, scores, labels),) = head.coder.decode(outputs.logits[-1], outputs.codes[-1])
    want = old_convention.boxes(data[f'{prefix}decoded_boxes'])
    want[:, 2] += want[:, 5] / 2
    assert torch.equal(labels, own_labels(data[f'{prefix}decoded_labels'], order))
    torch.testing.assert_close(scores, data[f'{prefix}decoded_scores'], **CHECK)
    columns = [0, 1, 2, 3, 4, 5, 7, 8]
    torch.testing.assert_close(boxes[:, columns], want[:, columns], **CHECK)
    torch.testing.assert_close((boxes[:, 6] - want[:, 6]).cos(), torch.ones(len(want)))


@pytest.mark.parametrize('order', list(ORDERS))
@pytest.mark.parametrize(
    ('case', 'kind'), [('head_forward', 'bevformer'), ('distill_student_head_forward', 'bevdistill-student')]
)
def test_student(golden, old_convention, tmp_path, case, kind, order) -> None:
    _, data, head = recorded(golden, case)
    distill = kind == 'bevdistill-student'
    layers = dict(num_layers=2, num_heads=4, feedforward_channels=64, dropout=0.0)
    model = MODELS.build(
        dict(
            type='BEVFormer',
            img_backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, num_stages=1, strides=(1,),
                              dilations=(1,), out_indices=(0,)),
            img_neck=dict(type='mmdet.FPN', in_channels=[8], out_channels=32, num_outs=2),
            pts_bbox_head=dict(
                type='BEVFormerHead',
                grid=dict(point_cloud_range=RANGE, rows=10, cols=8),
                encoder=dict(num_levels=2, released_shift_both=True, **layers),
                decoder=layers,
                coder=CODER,
                num_queries=20,
                embed_dims=32,
                num_cams=3,
                num_level_embeds=2,
                rotate_center=[4, 5],
                aux_heatmap=dict(share_channels=8) if distill else None,
            ),
        )
    ).eval()
    file = converted(tmp_path, model, head, kind, order)
    check_weights(model, torch.load(file, weights_only=True)['state_dict'], str(file))
    frames = FrameGeometry(data['in.lidar2img'].float(), data['in.with_prev.can_bus'].float()[None], (96, 160))
    with torch.no_grad():
        bev = model.pts_bbox_head.encode(
            [data['in.mlvl_feats_0'], data['in.mlvl_feats_1']], frames, data['in.prev_bev']
        )
        outputs = model.pts_bbox_head(bev)
    suffix = '' if distill else '_aliased'
    want = old_convention.codes(data[f'out.with_prev.all_bbox_preds{suffix}'])
    torch.testing.assert_close(outputs.codes, want, **CHECK)
    want = own_columns(data[f'out.with_prev.all_cls_scores{suffix}'], order)
    torch.testing.assert_close(outputs.logits, want, **CHECK)
    if distill:
        check_boxes(model.pts_bbox_head, outputs, data, 'out.with_prev.', order, old_convention)


@pytest.mark.parametrize('order', list(ORDERS))
def test_teacher(golden, old_convention, tmp_path, order) -> None:
    config, data, head = recorded(golden, 'teacher_head_forward')
    layers = dict(num_layers=2, num_heads=4, feedforward_channels=48, dropout=0.0)
    cfg = config['head']
    model = MODELS.build(
        dict(
            type='ObjectDGCNN',
            pts_voxel_encoder=dict(
                type='FlatPillarFeatureNet', in_channels=5, feat_channels=[8], voxel_size=[6.4, 6.4, 8],
                point_cloud_range=RANGE,
            ),
            pts_middle_encoder=dict(type='PointPillarsScatter', in_channels=8, output_shape=[16, 16]),
            pts_backbone=dict(type='SECOND', in_channels=8, out_channels=[8], layer_nums=[1], layer_strides=[1]),
            pts_neck=dict(type='mmdet.FPN', in_channels=[8], out_channels=32, num_outs=4),
            pts_bbox_head=dict(
                type='ObjectDGCNNHead',
                grid=dict(point_cloud_range=RANGE, rows=16, cols=16),
                num_queries=cfg['num_query'],
                embed_dims=cfg['in_channels'],
                num_levels=4,
                encoder=layers,
                decoder=layers,
                aux_heatmap=dict(share_channels=cfg['share_conv_channel'], num_convs=cfg['num_heatmap_convs']),
                loss=dict(
                    type='SetLoss',
                    matcher=dict(type='HungarianMatcher', reg_cost=dict(type='BoxCodeL1Cost', weight=0.5)),
                    loss_bbox=dict(type='mmdet.L1Loss', loss_weight=0.5),
                ),
                coder=CODER,
            ),
        )
    ).eval()
    file = converted(tmp_path, model, head, 'bevdistill-teacher', order)
    TeacherCheckpoint(file, CLASSES).load_into(model)
    with torch.no_grad():
        outputs = model.pts_bbox_head([data[f'in.mlvl_feats_{level}'] for level in range(4)])
    torch.testing.assert_close(outputs.codes, old_convention.codes(data['out.all_bbox_preds']), **CHECK)
    torch.testing.assert_close(outputs.logits, own_columns(data['out.all_cls_scores'], order), **CHECK)
    heatmap = data['out.heatmap_logits_0'][:, [ORDERS[order].index(name) for name in CLASSES]]
    torch.testing.assert_close(outputs.heatmap, heatmap, **CHECK)
    check_boxes(model.pts_bbox_head, outputs, data, 'out.', order, old_convention)
    boxes = old_convention.boxes(data['in.gt_boxes'])
    boxes[:, 2] += boxes[:, 5] / 2
    losses = model.pts_bbox_head.loss(outputs, Targets((boxes,), (own_labels(data['in.gt_labels'], order),)))
    for name, value in losses.items():
        want = data[f'out.loss.{"task0.loss_heatmap" if name == "loss_heatmap" else name}']
        torch.testing.assert_close(value.squeeze(), want.squeeze(), **CHECK, msg=lambda text, n=name: f'{n}: {text}')
