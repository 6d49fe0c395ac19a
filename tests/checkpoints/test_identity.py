"""What a model says about itself goes into its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_detector import RANGE
from torch import nn

from bevdistill.checkpoints.identity import BOX_CONVENTION, META_KEY, check_identity, identity_gaps, identity_of
from bevdistill.distillers import BEVDistiller


def runner_of(model: nn.Module) -> SimpleNamespace:
    return SimpleNamespace(model=model, _train_loop=None, _val_loop=None, _test_loop=None)


def test_distiller_adds_its_teacher_to_its_students_range(save_teacher: Callable[..., Path]) -> None:
    model = BEVDistiller(
        student=dict(type='FakeDetector', source='imgs', channels=5),
        teacher=dict(type='FakeDetector', source='points'),
        teacher_checkpoint=str(save_teacher()),
    )
    assert identity_of(runner_of(model)) == dict(  # type: ignore[arg-type]
        point_cloud_range=RANGE, box_convention='mmdet3d>=1.0', teacher={}
    )
    model.init_weights()
    teacher = identity_of(runner_of(model))['teacher']  # type: ignore[arg-type]
    assert teacher['path'].endswith('teacher.pth') and len(teacher['sha256']) == 64


def test_what_a_model_does_not_know_is_left_out() -> None:
    assert identity_of(runner_of(nn.Linear(1, 1))) == dict(box_convention='mmdet3d>=1.0')  # type: ignore[arg-type]


def test_fields_that_one_side_lacks_are_not_compared() -> None:
    check_identity(dict(classes=['a']), dict(box_convention='x'), 'c.pth')


def test_all_differences_are_named() -> None:
    with pytest.raises(ValueError, match=r'(?s)c\.pth.*classes: .*point_cloud_range: '):
        check_identity(
            dict(classes=['a'], point_cloud_range=[0, 0, 0, 1, 1, 1]),
            dict(classes=['b'], point_cloud_range=[0, 0, 0, 1, 1, 2]),
            'c.pth',
        )


@pytest.mark.parametrize(
    ('saved', 'own', 'gap'),
    [
        (dict(point_cloud_range=(0, 0, 0, 1, 1, 1)), dict(point_cloud_range=[0.00009, 0, 0, 1, 1, 1]), None),
        (
            dict(point_cloud_range=(0, 0, 0, 1, 1, 1)),
            dict(point_cloud_range=[0.0002, 0, 0, 1, 1, 1]),
            'point_cloud_range: the checkpoint has [0.0, 0.0, 0.0, 1.0, 1.0, 1.0], the config has [0.0002, 0.0, ',
        ),
        (dict(classes=('a', 'b')), dict(classes=['a', 'b']), None),
        (dict(classes=('a', 'b')), dict(classes=['b', 'a']), "classes: the checkpoint has ['a', 'b'], the config has "),
        (dict(classes=['a', 'b']), dict(num_classes=2), None),
        (dict(classes=['a', 'b']), dict(num_classes=3), "classes: the checkpoint has 2 (['a', 'b']), the config has 3"),
        (dict(box_convention='x'), dict(box_convention='y'), 'box_convention: the checkpoint has x, the config has y'),
    ],
)
def test_fields_are_compared_by_value(saved: dict[str, Any], own: dict[str, Any], gap: str | None) -> None:
    gaps = identity_gaps(saved, own, 'the config')
    assert (gap is None and not gaps) or (len(gaps) == 1 and next(iter(gaps.values())).startswith(str(gap)))


def test_names_are_those_of_checkpoints_already_written() -> None:
    assert (META_KEY, BOX_CONVENTION) == ('bevdistill', 'mmdet3d>=1.0')
