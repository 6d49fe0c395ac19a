"""What a model says about itself goes into its checkpoints."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from bevdistill.checkpoints.identity import check_identity, identity_of
from bevdistill.structures import BEVGrid


def runner_of(model: nn.Module) -> SimpleNamespace:
    return SimpleNamespace(model=model, _train_loop=None, _val_loop=None, _test_loop=None)


def test_distiller_adds_its_teacher_and_has_its_students_range() -> None:
    model = nn.Module()
    model.student = nn.Module()
    model.student.grid = BEVGrid.from_config([0, 0, 0, 1, 2, 3], 2, 2)
    model.checkpoint_meta = lambda: dict(teacher=dict(path='t.pth', sha256='0'))
    assert identity_of(runner_of(model)) == dict(  # type: ignore[arg-type]
        point_cloud_range=[0.0, 0.0, 0.0, 1.0, 2.0, 3.0],
        box_convention='mmdet3d>=1.0',
        teacher=dict(path='t.pth', sha256='0'),
    )


def test_fields_that_one_side_lacks_are_not_compared() -> None:
    check_identity(dict(classes=['a']), dict(box_convention='x'), 'c.pth')


def test_all_differences_are_named() -> None:
    with pytest.raises(ValueError, match=r'(?s)c\.pth.*classes: .*point_cloud_range: '):
        check_identity(
            dict(classes=['a'], point_cloud_range=[0, 0, 0, 1, 1, 1]),
            dict(classes=['b'], point_cloud_range=[0, 0, 0, 1, 1, 2]),
            'c.pth',
        )
