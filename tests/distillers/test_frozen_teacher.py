from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from mmdet3d.registry import MODELS

from bevdistill.distillers import FrozenTeacher, TeacherCheckpoint


def teacher(path, **kwargs) -> FrozenTeacher:
    return FrozenTeacher(MODELS.build(dict(type='FakeDetector', source='points')), TeacherCheckpoint(path), **kwargs)


def test_eval_for_good(save_teacher, batch) -> None:
    frozen = teacher(save_teacher())
    assert frozen.train() is frozen
    frozen.train(True)
    assert not any(module.training for module in frozen.modules())
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    data = batch()
    outputs = frozen(data['inputs'], data['data_samples'])
    assert not outputs.bev.requires_grad
    assert outputs.bev.dtype is torch.float32


def test_loads_once_and_only_when_needed(save_teacher, batch, monkeypatch) -> None:
    frozen = teacher(save_teacher())
    assert not frozen.loaded
    assert frozen.identity == {}
    frozen.ensure_loaded()
    monkeypatch.setattr(TeacherCheckpoint, 'load_into', lambda *_: pytest.fail('loaded twice'))
    frozen.ensure_loaded()
    data = batch()
    frozen(data['inputs'], data['data_samples'])
    assert frozen.identity['path'].endswith('teacher.pth')


def test_copies_of_a_distiller_share_it(save_teacher) -> None:
    model = MODELS.build(
        dict(
            type='BEVDistiller',
            student=dict(type='FakeDetector', source='imgs'),
            teacher=dict(type='FakeDetector', source='points'),
            teacher_checkpoint=str(save_teacher()),
        )
    )
    copied = deepcopy(model)
    assert copied.teacher is model.teacher
    assert copied.student is not model.student
    assert copied.state_dict().keys() == model.state_dict().keys()
    copied.requires_grad_(False)
    copied.train()
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.teacher.detector.training


def test_half_precision_of_the_student_does_not_reach_it(save_teacher) -> None:
    frozen = teacher(save_teacher()).half()
    assert all(parameter.dtype is torch.float32 for parameter in frozen.parameters())
    follower = teacher(save_teacher(), precision='follow').half()
    assert all(parameter.dtype is torch.float16 for parameter in follower.parameters())


def test_follows_the_device_of_its_distiller(save_teacher) -> None:
    model = MODELS.build(
        dict(
            type='BEVDistiller',
            student=dict(type='FakeDetector', source='imgs'),
            teacher=dict(type='FakeDetector', source='points'),
            teacher_checkpoint=str(save_teacher()),
        )
    )
    model.to(device='meta')
    assert {parameter.device.type for parameter in model.teacher.parameters()} == {'meta'}


def test_precision_follows_autocast_on_request(save_teacher, batch) -> None:
    data = batch()
    for precision, seen in (('float32', torch.float32), ('follow', torch.bfloat16)):
        frozen = teacher(save_teacher(), precision=precision)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            outputs = frozen(data['inputs'], data['data_samples'])
        assert frozen.detector.seen_dtype in (seen, torch.float32 if precision == 'float32' else seen)
        assert outputs.bev.dtype is torch.float32


def test_unknown_precision(save_teacher) -> None:
    with pytest.raises(ValueError, match="must be 'float32' or 'follow', got 'fp16'"):
        teacher(save_teacher(), precision='fp16')
