from __future__ import annotations

import pytest
import torch
from mmdet3d.registry import MODELS

from bevdistill.distillers import TeacherInit


def pair(student: dict | None = None, teacher: dict | None = None):
    torch.manual_seed(0)
    return (
        MODELS.build(dict(type='FakeDetector', source='imgs', **(student or {}))),
        MODELS.build(dict(type='FakeDetector', source='points', **(teacher or {}))),
    )


def test_true_copies_the_whole_head_and_nothing_else() -> None:
    student, teacher = pair()
    teacher.pts_bbox_head.shared_conv[1].running_mean.fill_(3.0)
    stem = student.stem[0].weight.clone()
    copied = TeacherInit.from_config(True).apply(student, teacher)
    assert set(copied) == set(student.pts_bbox_head.state_dict(prefix='pts_bbox_head.'))
    for name, value in teacher.pts_bbox_head.state_dict().items():
        torch.testing.assert_close(student.pts_bbox_head.state_dict()[name], value)
    torch.testing.assert_close(student.stem[0].weight, stem)
    assert all(parameter.requires_grad for parameter in student.parameters())


@pytest.mark.parametrize(
    ('part', 'prefixes'),
    [
        ('decoder', ('transformer.decoder.',)),
        ('branches', ('cls_branches.', 'reg_branches.')),
        ('queries', ('query_embedding.', 'transformer.reference_points.')),
        ('heatmap', ('shared_conv.', 'task_heads.')),
    ],
)
def test_each_part_alone(part: str, prefixes: tuple[str, ...]) -> None:
    student, teacher = pair()
    copied = TeacherInit.from_config({part: True}).apply(student, teacher)
    names = student.pts_bbox_head.state_dict()
    assert copied == ['pts_bbox_head.' + name for name in names if name.startswith(prefixes)]


def test_false_copies_nothing() -> None:
    student, teacher = pair()
    assert TeacherInit.from_config(False).apply(student, teacher) == []


def test_unknown_part() -> None:
    with pytest.raises(ValueError, match=r"\['head'\] in init_from_.*'decoder', 'branches', 'queries', 'heatmap'"):
        TeacherInit.from_config(dict(head=True))


def test_what_does_not_fit_is_listed() -> None:
    student, teacher = pair(dict(layers=3, queries=5), dict(heatmap=False))
    with pytest.raises(ValueError, match='does not fit') as caught:
        TeacherInit.from_config(True).apply(student, teacher)
    text = str(caught.value)
    missing = next(line for line in text.splitlines() if 'missing in the teacher' in line)
    assert missing.startswith('  13 weights missing in the teacher: ') and missing.count(', ') == 12
    assert 'pts_bbox_head.cls_branches.2.weight' in missing and 'pts_bbox_head.shared_conv.0.weight' in missing
    assert 'pts_bbox_head.query_embedding.weight (6, 4) in the teacher, (5, 4) in the student' in text


def test_partial_copies_what_fits() -> None:
    student, teacher = pair(dict(layers=3))
    copied = TeacherInit.from_config(dict(branches=True, partial=True)).apply(student, teacher)
    assert 'pts_bbox_head.cls_branches.1.weight' in copied
    assert 'pts_bbox_head.cls_branches.2.weight' not in copied


def test_same_shapes_of_other_meaning_are_refused() -> None:
    student, teacher = pair(dict(dims=3), dict(dims=2, limits=[-8.0, -6.0, -4.0, 8.0, 6.0, 3.0]))
    with pytest.raises(ValueError, match='3 reference coordinates, the teacher 2') as caught:
        TeacherInit.from_config(dict(branches=True, partial=True)).apply(student, teacher)
    assert 'normalised coordinates mean different places' in str(caught.value)


def test_a_part_that_nobody_has() -> None:
    student, teacher = pair(dict(heatmap=False), dict(heatmap=False))
    with pytest.raises(ValueError, match='heatmap: neither side has weights'):
        TeacherInit.from_config(dict(heatmap=True)).apply(student, teacher)
