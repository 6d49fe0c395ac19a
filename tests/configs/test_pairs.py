"""A distilled student is the plain one: parameters, FLOPs and outputs of every pair of configs are identical."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

import bevdistill  # noqa: F401
from bevdistill.apis.flops import count_flops
from bevdistill.apis.made_up_sensors import MadeUpSensors
from bevdistill.structures import BEVOutputs

REPO = Path(__file__).resolve().parents[2]
STUDENTS = ('_r50_1x', '-t_r50_2x', '-t_r101-dcn_2x')
PAIRS = [
    (f'{folder}bevformer/bevformer{student}_nus-3d.py', f'{folder}bevdistill/bevdistill{student}_nus-3d.py')
    for folder in ('', 'synthetic/')
    for student in STUDENTS
]
PAIRS += [
    ('bevformer/bevformer_r50_1x_nus-3d.py', 'bevdistill/bevdistill_r50_1x_released_nus-3d.py'),
    ('bevformer/bevformer-t_r50_2x_released_nus-3d.py', 'bevdistill/bevdistill-t_r50_2x_released_nus-3d.py'),
]
TWINS = [pair for pair in PAIRS if pair[0].startswith('synthetic')]
FULL_SCALE = [pair for pair in PAIRS if pair not in TWINS]
# They cannot be built without the file that they start from.
PRETRAINED = (
    'synthetic/bevformer/bevformer_r50_1x_pretrained_nus-3d.py',
    'synthetic/bevdistill/bevdistill_r50_1x_pretrained_nus-3d.py',
)
IMAGE = ('mean', 'std', 'bgr_to_rgb', 'pad_size_divisor', 'grid_mask')


@cache
def load(name: str) -> Config:
    return Config.fromfile(REPO / 'configs' / name)


def students(plain: str, distilled: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configs of the plain student and of the one inside the distiller."""
    alone = load(plain).model.to_dict()
    alone.pop('data_preprocessor')
    taught = load(distilled).model.to_dict()['student']
    if 'released' in distilled and 'released' not in plain:
        # The release teaches through an auxiliary heatmap, which is a switch of the plain student as well.
        alone['pts_bbox_head']['aux_heatmap'] = taught['pts_bbox_head']['aux_heatmap']
    return alone, taught


@pytest.mark.parametrize(('plain', 'distilled'), [*PAIRS, PRETRAINED])
def test_configs_agree(plain: str, distilled: str) -> None:
    """Equal configs build equal models: parameters, FLOPs and outputs follow for models too large to run here."""
    alone, taught = students(plain, distilled)
    assert alone == taught
    own, shared = load(plain), load(distilled)
    for key in IMAGE:
        assert own.model.data_preprocessor[key] == shared.model.data_preprocessor[key], key
    for loader in ('train_dataloader', 'test_dataloader'):
        ours, theirs = (innermost(cfg[loader].dataset) for cfg in (own, shared))
        assert ours.pipeline.images == theirs.pipeline.images
        assert ours.get('queue_length', 1) == theirs.get('queue_length', 1)
    # The training: same rate, schedule, length.
    for key in ('optim_wrapper', 'param_scheduler'):
        assert own[key] == shared[key], key
    assert {**own.train_cfg, 'val_begin': 1} == {**shared.train_cfg, 'val_begin': 1}


def innermost(dataset: Any) -> Any:
    return innermost(dataset.dataset) if 'dataset' in dataset else dataset


def build(plain: str, distilled: str) -> tuple[nn.Module, nn.Module]:
    """The plain model and the distiller, of one seed."""
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    alone = MODELS.build(load(plain).model)
    alone.init_weights()
    torch.manual_seed(0)
    distiller = MODELS.build(dict(load(distilled).model.to_dict(), teacher_checkpoint='teacher.pth'))
    distiller.student.init_weights()
    return alone.eval(), distiller.eval()


@pytest.mark.usefixtures('no_random_weights')
@pytest.mark.parametrize(('plain', 'distilled'), FULL_SCALE)
def test_full_scale_students_have_the_same_parameters(plain: str, distilled: str) -> None:
    init_default_scope('mmdet3d')
    alone, taught = (MODELS.build(config).state_dict() for config in students(plain, distilled))
    assert {name: weight.shape for name, weight in alone.items()} == {name: w.shape for name, w in taught.items()}


@pytest.mark.parametrize(('plain', 'distilled'), TWINS)
def test_twins_have_the_same_parameters_flops_and_outputs(plain: str, distilled: str) -> None:
    alone, distiller = build(plain, distilled)
    own, taught = alone.state_dict(), distiller.student.state_dict()
    assert own.keys() == taught.keys()
    assert all(torch.equal(own[name], taught[name]) for name in own)

    sensors = MadeUpSensors(load(plain).test_dataloader.dataset, (64, 176), points=0)
    flops = [count_flops(model, alone.data_preprocessor, sensors) for model in (alone, distiller.student)]
    assert flops[0].by_module == flops[1].by_module
    assert flops[0].by_module[''] > 10**8

    outputs = [frames(model, sensors) for model in (alone, distiller)]
    for ours, theirs in zip(*outputs, strict=True):
        for tap in ('bev', 'states', 'logits', 'codes', 'references', 'heatmap'):
            assert torch.equal(getattr(ours, tap), getattr(theirs, tap)), tap
    if alone.queue_length > 1:
        assert not torch.equal(outputs[0][0].bev, outputs[0][1].bev), 'the second frame has history'


@torch.no_grad()
def frames(model: nn.Module, sensors: MadeUpSensors) -> list[BEVOutputs]:
    """Outputs of two frames in a row."""
    found = []
    for frame in range(2):
        batch = model.data_preprocessor(sensors.batch(frame), False)
        found.append(model.forward_outputs(batch['inputs'], batch['data_samples']))
    return found
