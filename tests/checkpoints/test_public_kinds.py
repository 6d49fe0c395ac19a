"""Which files need a conversion, and what their users are told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import torch

from bevdistill.checkpoints import KINDS, convention_unknown, conversion_advice, likely_kind, unreadable_advice

HEAD = 'pts_bbox_head.'
CAMERA = ['img_backbone.conv1.weight', HEAD + 'bev_embedding.weight']
LIDAR = ['pts_backbone.x', HEAD + 'query_embedding.weight', HEAD + 'transformer.reference_points.weight']
NAMES = {
    'bevformer': CAMERA,
    'bevdistill-student': [*CAMERA, HEAD + 'shared_conv.conv.weight'],
    'bevdistill-teacher': LIDAR,
    'object-dgcnn': [*LIDAR, HEAD + 'transformer.decoder.layers.0.attentions.0.conv1.0.weight'],
    'distiller': ['student.' + CAMERA[1], 'teacher.' + LIDAR[0], 'cl_head.img_projs.0.0.weight'],
}


@pytest.mark.parametrize('kind', list(KINDS))
def test_kind_of_names(kind: str) -> None:
    assert likely_kind(NAMES[kind]) == kind
    assert likely_kind([f'module.{name}' for name in NAMES[kind]]) == kind


def test_other_detectors_are_of_no_kind() -> None:
    assert likely_kind([]) is None
    assert likely_kind(['backbone.conv1.weight', 'fc.bias']) is None
    assert likely_kind(['img_backbone.conv1.weight', *LIDAR]) is None  # DETR3D


@pytest.mark.parametrize(
    ('names', 'meta', 'unknown'),
    [
        (CAMERA, {}, True),
        (CAMERA, dict(mmdet3d_version='0.17.1', CLASSES=['car']), True),
        (['bbox_head.conv_reg.weight'], {}, True),
        (CAMERA, dict(bevdistill={}), False),
        (CAMERA, dict(mmdet3d_version='1.0.0rc6'), False),
        (CAMERA, dict(mmengine_version='0.10.7'), False),
        (['backbone.conv1.weight', 'fc.bias', 'img_neck.x'], {}, False),
    ],
)
def test_convention(names: list[str], meta: dict, unknown: bool) -> None:
    assert convention_unknown(names, meta) == unknown


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / 'text.pth').write_text('hello')
    assert 'is no checkpoint: it is text' in unreadable_advice(tmp_path / 'text.pth')
    torch.save(dict(state_dict={'x': torch.ones(1)}, meta=dict(time=datetime(2022, 1, 1))), tmp_path / 'a.pth')
    assert 'datetime.datetime. Save its weights alone' in unreadable_advice(tmp_path / 'a.pth')
    torch.save(dict(state_dict={CAMERA[1]: torch.ones(1)}, meta=dict(time=datetime(2022, 1, 1))), tmp_path / 'b.pth')
    assert '--kind bevformer' in unreadable_advice(tmp_path / 'b.pth')


def test_advice_is_a_command() -> None:
    text = conversion_advice('ckpts/base.pth', CAMERA)
    command = 'python tools/model_converters/convert_official.py ckpts/base.pth ckpts/base_converted.pth'
    assert f'{command} --kind bevformer' in text and 'KIND is' not in text
    text = conversion_advice('other.pth', ['bbox_head.conv.weight'])
    assert '--kind KIND\nwhere KIND is one of bevformer, bevdistill-student' in text
