"""The shipped configs start from public backbones: all weights of the part arrive, in distillation too.

Channels are few, so that the files stay small; depths and names are those of the public files.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import bevdistill  # noqa: F401
from bevdistill.engine.launch import load_config
from bevdistill.engine.overrides import parse_overrides

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def build(config: str, *overrides: str) -> Any:
    """A model as ``tools/train.py CONFIG --cfg-options ...`` builds it, not initialised."""
    cfg = load_config(CONFIGS / f'{config}_nus-3d.py', parse_overrides(overrides))
    init_default_scope('mmdet3d')
    return MODELS.build(cfg.model)


def small(part: str, levels: str, file: Path) -> list[str]:
    """Options that narrow the backbone of `part` and name the file that it starts from."""
    return [
        f'+{part}.img_backbone.base_channels=2',
        f'{part}.img_neck.in_channels={levels}',
        f'{part}.img_backbone.init_cfg.checkpoint={file}',
    ]


def random_weights(module: nn.Module) -> dict[str, Tensor]:
    return {n: torch.rand_like(v) if v.is_floating_point() else v for n, v in module.state_dict().items()}


def check(module: nn.Module, weights: dict[str, Tensor]) -> None:
    own = module.state_dict()
    assert len(own) == len(weights)
    for name, value in own.items():
        assert torch.equal(value, weights[name]), name


def fcos3d(student: Any, file: Path) -> dict[str, Tensor]:
    """A detector of mmdet3d 0.x with the student's backbone, a neck with one level more, and a head."""
    state = {f'img_backbone.{name}': value for name, value in random_weights(student.img_backbone).items()}
    state |= {f'img_neck.{name}': value for name, value in random_weights(student.img_neck).items()}
    extra = {'img_neck.fpn_convs.4.conv.bias': torch.rand(256), 'bbox_head.conv_cls.bias': torch.rand(10)}
    torch.save(dict(meta=dict(best=np.float64(0.3)), state_dict=state | extra), file)
    return state


def part_of(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


@pytest.mark.parametrize('config', ['bevformer/bevformer_r50_1x', 'bevformer/bevformer-t_r101-dcn_2x'])
def test_fcos3d(tmp_path: Path, config: str) -> None:
    file = tmp_path / 'fcos3d.pth'
    options = [*small('model', '[16,32,64]', file), f'model.img_neck.init_cfg.checkpoint={file}']
    weights = fcos3d(build(config, *options), file)
    model = build(config, *options)
    model.init_weights()
    for part in ('img_backbone', 'img_neck'):
        check(getattr(model, part), part_of(weights, f'{part}.'))


def test_torchvision(tmp_path: Path) -> None:
    file = tmp_path / 'resnet50.pth'
    options = small('model', '[64]', file)
    weights = random_weights(build('bevformer/bevformer_tiny_24e', *options).img_backbone)
    torch.save(weights | {'fc.weight': torch.rand(3, 64), 'fc.bias': torch.rand(3)}, file)
    model = build('bevformer/bevformer_tiny_24e', *options)
    model.init_weights()
    check(model.img_backbone, weights)


@pytest.mark.parametrize(('name', 'student'), [('bevformer', 'model'), ('bevdistill', 'model.student')])
def test_cpu_sized_students_start_from_a_camera_detector(tmp_path: Path, name: str, student: str) -> None:
    """The pretrained twins take backbone and neck of the detector that is trained for them, and nothing else of it."""
    file, teacher = tmp_path / 'camera.pth', tmp_path / 'teacher.pth'
    camera = build('synthetic/bevformer/bevformer_r50_1x_pretraining')
    state = random_weights(camera)
    torch.save(dict(state_dict=state), file)
    options = [f'{student}.{part}.init_cfg.checkpoint={file}' for part in ('img_backbone', 'img_neck')]
    if name == 'bevdistill':
        options += [f'model.teacher_checkpoint={teacher}', '+model.trust_teacher=True', 'model.init_from_teacher=False']
    model = build(f'synthetic/{name}/{name}_r50_1x_pretrained', *options)
    if name == 'bevdistill':
        torch.save(model.teacher.detector.state_dict(), teacher)
    model.init_weights()
    taught = model if name == 'bevformer' else model.student
    for part in ('img_backbone', 'img_neck'):
        check(getattr(taught, part), part_of(state, f'{part}.'))
    rest = part_of(state, 'pts_bbox_head.')
    assert any(not torch.equal(value, rest[key]) for key, value in taught.pts_bbox_head.state_dict().items())
    taught.train()
    norms = [part for part in taught.img_backbone.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert not any(part.training or part.weight.requires_grad for part in norms), 'batch norms are fixed'
    assert not taught.img_backbone.layer1[0].conv1.weight.requires_grad
    assert taught.img_backbone.layer2[0].conv1.weight.requires_grad


def test_student_of_a_distiller(tmp_path: Path) -> None:
    file, teacher = tmp_path / 'fcos3d.pth', tmp_path / 'teacher.pth'
    config = 'bevdistill/bevdistill_r50_1x'
    options = [
        *small('model.student', '[16,32,64]', file),
        f'model.student.img_neck.init_cfg.checkpoint={file}',
        f'model.teacher_checkpoint={teacher}',
        '+model.trust_teacher=True',
    ]
    model = build(config, *options)
    weights = fcos3d(model.student, file)
    torch.save(model.teacher.detector.state_dict(), teacher)
    model.init_weights()
    check(model.student.img_backbone, part_of(weights, 'img_backbone.'))
    check(model.student.img_neck, part_of(weights, 'img_neck.'))


@pytest.mark.skipif(find_spec('mmpretrain') is None, reason='mmpretrain is not installed')
def test_mmpretrain(tmp_path: Path) -> None:
    """A classifier normalises its last stage only; the detector reads three."""
    file = tmp_path / 'convnext.pth'
    cfg = load_config(CONFIGS / 'bevdistill/bevdistill-t_convnext-b_trainval_nus-3d.py')
    init_default_scope('mmdet3d')
    classifier = dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[4, 8, 8, 8]))
    backbone = random_weights(MODELS.build(classifier))
    state = {f'backbone.{name}': value for name, value in backbone.items()} | {'head.fc.bias': torch.rand(3)}
    torch.save(dict(meta=dict(mmengine_version='0.5.0'), state_dict=state), file)
    student = cfg.model.student
    student.img_backbone.update(arch=classifier['arch'])
    student.img_backbone.init_cfg.checkpoint = str(file)
    student.img_neck.in_channels = [8, 8, 8]
    model = MODELS.build(student)
    model.init_weights()
    own = model.img_backbone.state_dict()
    assert {name for name in own if name not in backbone} == {
        f'norm{stage}.{part}' for stage in (1, 2) for part in ('weight', 'bias')
    }
    assert all(torch.equal(own[name], value) for name, value in backbone.items())
