"""The loss of mmrazor (open-mmlab/mmrazor @ 90c7af1), as recorded."""

from __future__ import annotations

from pathlib import Path

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from recordings import Arrays, assert_gradient, assert_loss, side, tensors
from torch import Tensor

import projects.pkd  # noqa: F401
from bevdistill.structures import Targets

LOSSES = Path(__file__).resolve().parents[3] / 'projects' / 'pkd' / 'configs' / '_base_' / 'losses.py'
LIMITS = (-8.0, -6.0, 8.0, 6.0)


def loss_of(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    """Our loss, with the recording's deviation: its divisor is the number of cells less one."""
    batch, _, rows, cols = student_BCHW.shape
    targets = Targets((torch.zeros(0, 9),) * batch, (torch.zeros(0).long(),) * batch)
    student, teacher = (side(map_BCHW, LIMITS) for map_BCHW in (student_BCHW, teacher_BCHW))
    value = MODELS.build(dict(type='PearsonBEVLoss'))(student, teacher, targets)['loss']
    return value * (1 - 1 / (rows * cols))


def case(arrays: Arrays, variant: str, level: int = 0) -> tuple[Tensor, Tensor]:
    """Maps of both sides."""
    given = tensors(arrays, f'in.{variant}.')
    return given[f'student{level}'].requires_grad_(), given[f'teacher{level}']


def check(value: Tensor, student: Tensor, want: dict[str, Tensor]) -> None:
    assert_loss(value, want['loss'])
    value.backward()
    assert_gradient(student.grad, want['grad_student0'])


def test_one_sample(golden) -> None:
    _, arrays = golden('methods/pkd')
    student, teacher = case(arrays, 'single')
    want = tensors(arrays, 'out.single.')
    weight = Config.fromfile(LOSSES).pkd_losses.pattern.weight
    assert_loss(weight * loss_of(student, teacher), want['loss_weighted'])
    check(loss_of(student, teacher), student, want)


def test_its_statistics_run_over_the_batch(golden) -> None:
    """Ours are those of a sample; a batch side by side in one map has the statistics of the release."""
    _, arrays = golden('methods/pkd')
    student, teacher = case(arrays, 'main')
    together = [torch.cat(list(map_BCHW), dim=2)[None] for map_BCHW in (student, teacher)]
    check(loss_of(*together), student, tensors(arrays, 'out.main.'))


def test_a_teacher_of_another_size(golden) -> None:
    """mmrazor's ``resize_stu=False``."""
    _, arrays = golden('methods/pkd')
    student, teacher = case(arrays, 'resize_student')
    check(loss_of(student, teacher), student, tensors(arrays, 'out.resize_teacher.'))


def test_a_constant_channel(golden) -> None:
    """Its gradient is left out: mmrazor's is divided by 1e-6 there, ours by the root of that."""
    _, arrays = golden('methods/pkd')
    assert_loss(loss_of(*case(arrays, 'constant')).detach(), tensors(arrays, 'out.constant.')['loss'])


def test_levels_add_up(golden) -> None:
    _, arrays = golden('methods/pkd')
    value = loss_of(*case(arrays, 'levels', 0)) + loss_of(*case(arrays, 'levels', 1))
    assert_loss(value.detach(), tensors(arrays, 'out.levels.')['loss'])
