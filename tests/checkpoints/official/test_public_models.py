"""Every published list of names loads into the model of a shipped config: nothing missing, nothing left over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmcv.ops import SparseConv3d, SubMConv3d
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import bevdistill  # noqa: F401
from bevdistill.checkpoints import META_KEY, read_foreign_checkpoint
from bevdistill.checkpoints.official import convert_file

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('mmdet3d')


def shapes(golden: Any, case: str, *random: str, prefix: str = '') -> dict[str, Tensor]:
    """One number in every shape, which a file holds once; random numbers where the test looks at more than shapes."""
    meta, _ = golden(case)
    return {
        prefix + name: torch.rand(shape) if name in random else torch.rand(()).expand(shape)
        for name, shape in meta['keys'].items()
    }


def public_file(folder: Path, weights: dict[str, Tensor], **meta: Any) -> Path:
    """A file as the original code wrote it."""
    file = folder / 'official.pth'
    config = 'point_cloud_range = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]\n'
    meta = dict(mmdet3d_version='0.17.1', config=config, epoch=24, **meta)
    torch.save(dict(meta=meta, state_dict=weights, optimizer=dict(state={})), file)
    return file


def model_of(config: str, **head: Any) -> nn.Module:
    cfg = Config.fromfile(CONFIGS / f'{config}_nus-3d.py').model
    cfg.pop('data_preprocessor', None)
    cfg.pts_bbox_head.update(head)
    with torch.device('meta'):
        return MODELS.build(cfg)


@pytest.mark.parametrize(
    ('case', 'kind', 'config', 'head', 'named'),
    [
        ('keys_bevformer_tiny', 'bevformer', 'bevformer/bevformer_tiny_24e_released', {}, True),
        ('keys_bevformer_small', 'bevformer', 'bevformer/bevformer_small_24e_released', {}, True),
        ('keys_bevformer_base', 'bevformer', 'bevformer/bevformer_base_24e_released', {}, True),
        (
            'keys_bevdistill_r50_baseline_bevformer_128x128', 'bevformer', 'bevformer/bevformer-t_r50_2x_released',
            dict(aux_heatmap=None), False,
        ),
        (
            'keys_bevdistill_r50_student', 'bevdistill-student', 'bevformer/bevformer-t_r50_2x_released', {}, True,
        ),
    ],
)
def test_camera_models(golden, tmp_path, case, kind, config, head, named) -> None:
    weights = shapes(golden, case)
    out = tmp_path / 'converted.pth'
    result = convert_file(public_file(tmp_path, weights), out, kind, progress=lambda line: None)
    converted = torch.load(out, weights_only=True)
    assert converted['meta'][META_KEY]['point_cloud_range'] == [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]
    assert result.config == (f'configs/{config}_nus-3d.py' if named else None)
    model_of(config, **head).load_state_dict(converted['state_dict'], strict=True)
    assert len(result.conversion.entries) == len(weights)


@pytest.mark.usefixtures('no_random_weights')
def test_teacher(golden, tmp_path) -> None:
    kernel = 'pts_middle_encoder.encoder_layers.encoder_layer1.2.0.weight'
    weights = shapes(golden, 'keys_bevdistill_teacher', kernel)
    out = tmp_path / 'converted.pth'
    result = convert_file(public_file(tmp_path, weights), out, 'bevdistill-teacher', progress=lambda line: None)
    config = 'object_dgcnn/teacher_voxel01_cbgs_20e'
    assert result.config == f'configs/{config}_nus-3d.py'
    cfg = Config.fromfile(CONFIGS / f'{config}_nus-3d.py').model
    cfg.pop('data_preprocessor', None)
    model = MODELS.build(cfg)
    model.load_state_dict(torch.load(out, weights_only=True)['state_dict'], strict=True)
    assert torch.equal(model.state_dict()[kernel], weights[kernel].permute(4, 0, 1, 2, 3))


def test_sparse_kernels_load_with_and_without_spconv(golden, tmp_path) -> None:
    """The same file fits mmcv's operators as it is and spconv's after mmdet3d has turned it; both mean one kernel."""
    from spconv.pytorch import SparseConvTensor
    from spconv.pytorch import SubMConv3d as SpconvSubMConv3d

    name = 'pts_middle_encoder.encoder_layers.encoder_layer1.0.conv1.weight'
    weights = shapes(golden, 'keys_bevdistill_teacher', name)
    out = tmp_path / 'converted.pth'
    convert_file(public_file(tmp_path, weights), out, 'bevdistill-teacher', progress=lambda line: None)
    read = read_foreign_checkpoint(out).weights
    without = SubMConv3d(16, 16, 3, bias=False)
    without.load_state_dict(dict(weight=read[name]))
    torch.testing.assert_close(without.weight.detach(), weights[name])
    down = SparseConv3d(128, 128, (3, 1, 1), stride=(2, 1, 1), bias=False)
    down.load_state_dict(dict(weight=read['pts_middle_encoder.conv_out.0.weight']))
    with_spconv = SpconvSubMConv3d(16, 16, 3, bias=False)
    with_spconv.load_state_dict(dict(weight=read[name]))
    # All cells of a small volume are voxels, so that a dense convolution says what the sparse one must give.
    volume = torch.randn(1, 16, 3, 4, 5)
    cells = torch.stack(torch.meshgrid(*(torch.arange(n) for n in (1, 3, 4, 5)), indexing='ij'), dim=-1)
    voxels = SparseConvTensor(
        volume.permute(0, 2, 3, 4, 1).reshape(-1, 16), cells.reshape(-1, 4).int(), [3, 4, 5], 1
    )
    with torch.no_grad():
        got = with_spconv(voxels).dense()
    want = nn.functional.conv3d(volume, weights[name].permute(4, 3, 0, 1, 2), padding=1)
    torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures('no_random_weights')
def test_distiller_and_its_teacher(golden, tmp_path) -> None:
    name = 'pts_bbox_head.cls_branches.3.6.weight'
    weights = (
        shapes(golden, 'keys_bevdistill_r50_student', name, prefix='student.')
        | shapes(golden, 'keys_bevdistill_teacher', name, prefix='teacher.')
        | shapes(golden, 'keys_bevdistill_cl_head')
    )
    source, out, teacher_out = public_file(tmp_path, weights), tmp_path / 'run.pth', tmp_path / 'teacher.pth'
    result = convert_file(source, out, 'distiller', teacher_out, progress=lambda line: None)
    assert result.config is not None
    cfg = Config.fromfile(CONFIGS.parent / result.config).model
    cfg.pop('data_preprocessor', None)
    cfg.teacher_checkpoint = str(teacher_out)
    model = MODELS.build(cfg)
    converted = torch.load(out, weights_only=True)
    model.load_state_dict(converted['state_dict'], strict=True)
    model.teacher.ensure_loaded()
    assert converted['meta'][META_KEY]['teacher'] == model.teacher_identity
    assert torch.equal(model.student.state_dict()[name], weights[f'student.{name}'])
    assert torch.equal(model.teacher.detector.state_dict()[name], weights[f'teacher.{name}'])
