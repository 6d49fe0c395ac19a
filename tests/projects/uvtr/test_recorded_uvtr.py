"""The partial squared error of the release (dvlab-research/UVTR @ 8a24ec2), as recorded for voxels of one layer."""

from __future__ import annotations

from pathlib import Path

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from recordings import assert_gradient, assert_loss, side, tensors

import projects.uvtr  # noqa: F401
from bevdistill.structures import Targets

LOSSES = Path(__file__).resolve().parents[3] / 'projects' / 'uvtr' / 'configs' / '_base_' / 'losses.py'


def test_every_layer(golden) -> None:
    meta, arrays = golden('methods/uvtr_partial_l2')
    given, want = tensors(arrays, 'in.flat.'), tensors(arrays, 'out.flat.')
    x_min, y_min, _, x_max, y_max, _ = meta['config']['pc_range']
    limits = (x_min, y_min, x_max, y_max)
    layers, batch, queries, _ = want['centres'].shape
    codes = torch.zeros(layers, batch, queries, 10)
    codes[..., :2] = want['centres'][..., :2]
    sizes = dict(states=4, logits=10, references=3)
    fields = {name: torch.zeros(layers, batch, queries, size) for name, size in sizes.items()}
    own = given['student'][:, :, 0].requires_grad_()
    student, teacher = side(own, limits, codes=codes, **fields), side(given['teacher'][:, :, 0], limits)
    targets = Targets((torch.zeros(0, 9),) * batch, (torch.zeros(0).long(),) * batch)
    got = MODELS.build(dict(type='SampledPartialL2'))(student, teacher, targets)
    assert list(got) == ['d0.loss', 'd1.loss', 'loss']
    for value, recorded in zip(got.values(), want['loss'], strict=True):
        assert_loss(value, recorded)
    total = sum(got.values())
    weight = Config.fromfile(LOSSES).uvtr_losses.centres.weight
    assert_loss(weight * total, want['total_weighted'])
    total.backward()
    assert_gradient(own.grad, want['grad_student'][:, :, 0])
