"""An error split in numbers, by hand: groups of objects, and the table for people."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bevdistill.cli.errors import to_markdown
from bevdistill.evaluation.error_split.match import (
    BACKGROUND,
    CONFUSED,
    DUPLICATE,
    MATCHED,
    Cameras,
    Outcome,
    Sample,
    match,
)
from bevdistill.evaluation.error_split.summary import COLUMNS, common, mean, numbers, split_table

CAR, TRUCK = 0, 1


def sample(truth: list[tuple[float, float, int]], predicted: list[tuple[float, float, int, float]]) -> Sample:
    """Objects as x, y, class and predictions as x, y, class, score; the camera looks along x."""
    objects, boxes = np.array(truth, dtype=float).reshape(-1, 3), np.array(predicted, dtype=float).reshape(-1, 4)
    return Sample(
        objects[:, :2], objects[:, 2].astype(int), np.hypot(objects[:, 0], objects[:, 1]),
        boxes[:, :2], boxes[:, 2].astype(int), boxes[:, 3], Cameras(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])),
    )  # fmt: skip


OUTCOME = Outcome(
    found_score=np.array([0.9, 0.5, 0.3, -1.0, -1.0]),
    other_score=np.array([0.8, -1.0, 0.7, 0.5, -1.0]),
    depth=np.array([1.0, -3.0, 8.0, math.nan, math.nan]),
    lateral=np.array([-0.5, 0.25, 8.0, math.nan, math.nan]),
    label=np.array([CAR, TRUCK, CAR, CAR, TRUCK]),
    distance=np.array([5.0, 10.0, 20.0, 9.99, 30.0]),
    kind=np.array([MATCHED, MATCHED, MATCHED, DUPLICATE, CONFUSED, BACKGROUND, BACKGROUND, BACKGROUND]),
    score=np.array([0.9, 0.5, 0.3, 0.8, 0.7, 0.5, 0.6, 0.49]),
)


def test_numbers_of_all_objects() -> None:
    """At 0.5, the first two are found, the next two are seen in a wrong class; six predictions are kept."""
    assert numbers(OUTCOME, 0.5) == pytest.approx({
        'objects': 5, 'found': 2 / 5, 'wrong class': 2 / 5, 'missed': 1 / 5, 'depth': 2, 'lateral': 0.375,
        'depth bias': -1, 'predictions': 6, 'duplicates': 1 / 6, 'confused': 1 / 6, 'background': 2 / 6,
    })  # fmt: skip
    assert tuple(numbers(OUTCOME, 0.5)) == COLUMNS


def test_numbers_of_some_objects() -> None:
    """Of cars; predictions belong to no class of objects, so they are left out."""
    row = numbers(OUTCOME, 0.3, OUTCOME.label == CAR)
    assert row == pytest.approx({
        'objects': 3, 'found': 2 / 3, 'wrong class': 1 / 3, 'missed': 0, 'depth': 4.5, 'lateral': 4.25,
        'depth bias': 4.5,
    })  # fmt: skip
    nothing = numbers(OUTCOME, 0.95)
    assert nothing['objects'] == 5 and nothing['missed'] == 1 and nothing['predictions'] == 0
    assert all(math.isnan(nothing[name]) for name in ('depth', 'lateral', 'depth bias', 'duplicates', 'background'))


def test_mean_of_nothing() -> None:
    assert math.isnan(mean(np.array([]))) and mean(np.array([True, False, False, True])) == 0.5


def test_a_distance_belongs_to_the_farther_group() -> None:
    table = split_table(dict(one=OUTCOME), ['car', 'truck', 'bus'], [0.5], [0.0, 10.0, 20.0, 40.0, 90.0])
    counts = dict(zip(table['objects of'], table['objects'], strict=True))
    assert counts == {'all': 5, '0 to 10 m': 2, '10 to 20 m': 1, '20 to 40 m': 2, 'car': 3, 'truck': 2}


def test_common_objects_and_table() -> None:
    truth = [(10.0, 0.0, CAR), (20.0, 0.0, CAR)]
    before = match(sample(truth, [(12.0, 0.0, CAR, 0.9), (23.0, 0.0, CAR, 0.1)]))
    after = match(sample(truth, [(11.0, 0.0, CAR, 0.9), (21.0, 0.0, CAR, 0.9)]))
    assert list(common([before, after], 0.2)) == [True, False]
    table = split_table(dict(before=before, after=after), ['car', 'truck'], [0.2], [0.0, 15.0, 30.0])
    lines = list(zip(table['objects of'], table['results'], table['depth'], strict=True))
    assert [line[:2] for line in lines[2:6]] == [
        ('found by all', 'before'), ('found by all', 'after'), ('0 to 15 m', 'before'), ('0 to 15 m', 'after')
    ]  # fmt: skip
    assert [line[2] for line in lines[2:4]] == pytest.approx([2.0, 1.0])
    assert 'truck' not in {line[0] for line in lines}, 'there are none'
    assert '| all | before | 2 | 50.0 % | 0.0 % | 50.0 % | 2.00 m | 0.00 m | +2.00 m | 1 |' in to_markdown(table, 0.2)


def test_columns_about_predictions_are_empty_for_some_of_the_objects() -> None:
    found = match(sample([(10.0, 0.0, CAR)], [(10.0, 0.0, CAR, 0.9)]))
    table = split_table(dict(one=found), ['car'], [0.2, 0.95], [0.0, 15.0])
    assert list(table.columns) == ['threshold', 'objects of', 'results', *COLUMNS]
    assert list(table['objects of']) == ['all', '0 to 15 m', 'car'] * 2, 'with one result none is found by all'
    assert table['predictions'].isna().tolist() == [False, True, True] * 2
    assert table['found'].tolist() == [1, 1, 1, 0, 0, 0]
    line = '| 0 to 15 m | one | 1 | 100.0 % | 0.0 % | 0.0 % | 0.00 m | 0.00 m | +0.00 m | - |'
    assert line in to_markdown(table, 0.2)
