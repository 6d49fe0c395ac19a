"""What became of the tensors of a converted file, as a table and one by one."""

from __future__ import annotations

from collections import Counter

import pytest

from bevdistill.checkpoints.official import BEVFORMER_CLASSES, conversion_lines, conversion_rows, convert_weights
from bevdistill.checkpoints.official.weights import Conversion, Entry
from bevdistill.cli.text_tables import text_table


def test_table(official) -> None:
    weights = official('distiller')
    result = convert_weights(weights, 'distiller', BEVFORMER_CLASSES)
    lines = text_table(conversion_rows(result)).splitlines()
    cells = [line.split() for line in lines]
    counts = Counter(entry.action for entry in result.entries)
    for action in ('kept', 'renamed', 'permuted', 'dropped'):
        assert sum(int(cell[1]) for cell in cells if cell[0] == action) == counts[action]
    assert lines[-1].split() == ['left', 'over', '0']
    text = '\n'.join(lines)
    assert 'student.pts_bbox_head.cls_branches.N.6.*' not in text  # numbers are joined
    assert 'student.pts_bbox_head.cls_branches.N.N.*' in text and 'holds no teacher' in text
    single = conversion_lines(result)
    assert len(single.splitlines()) == len(weights)
    assert 'cl_head.img_projs.0.0.weight -> losses.contrast.student_critic.projections.0.weight' in single


MADE = Conversion(entries=[
    Entry('img_backbone.conv1.weight', 'img_backbone.conv1.weight', 'kept'),
    Entry('img_backbone.layer1.0.conv1.weight', 'img_backbone.layer1.0.conv1.weight', 'kept'),
    Entry('img_neck.a', 'img_neck.a', 'kept'),
    Entry('head.branches.0.1.weight', 'new.branches.0.weight', 'renamed', 'other names'),
    Entry('head.branches.1.1.bias', 'new.branches.1.bias', 'renamed', 'other names'),
    Entry('head.v2.weight', 'new.v2.weight', 'renamed', 'other names'),
    Entry('head.code_weights', 'head.code_weights', 'permuted', 'slots'),
    Entry('head.cls.0.weight', 'head.cls.0.weight', 'permuted', 'classes'),
    Entry('ema.a.0', None, 'dropped', 'not read'),
])  # fmt: skip


def test_rows_by_hand() -> None:
    """In the order of actions, a row for each reason; numbers between dots are joined, parts of unchanged ones too."""
    assert conversion_rows(MADE) == [
        ('what', 'tensors', 'why', 'names in the file'),
        ('kept', '3', '', 'img_backbone.*, img_neck.*'),
        ('renamed', '3', 'other names', 'head.branches.N.N.*, head.v2.*'),
        ('permuted', '1', 'slots', 'head.code_weights'),
        ('permuted', '1', 'classes', 'head.cls.N.*'),
        ('dropped', '1', 'not read', 'ema.*'),
        ('left over', '0', '', ''),
    ]


def test_an_action_that_was_not_needed_is_a_row_too() -> None:
    rows = conversion_rows(Conversion())
    assert rows[1:] == [(what, '0', '', '') for what in ('kept', 'renamed', 'permuted', 'dropped', 'left over')]


@pytest.mark.parametrize(('place', 'line'), [
    (0, 'kept      img_backbone.conv1.weight'),
    (3, 'renamed   head.branches.0.1.weight -> new.branches.0.weight  (other names)'),
    (6, 'permuted  head.code_weights  (slots)'),
    (8, 'dropped   ema.a.0  (not read)'),
])  # fmt: skip
def test_each_tensor_in_a_line(place: int, line: str) -> None:
    assert conversion_lines(MADE).split('\n')[place] == line
