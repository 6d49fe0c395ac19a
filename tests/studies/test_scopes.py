"""Results of other samples or classes are told apart, by hand."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bevdistill.studies.scopes import classes_of, differing, parts, samples_of

PART = dict(samples=3.0, split_samples=81.0, samples_id=12220438.0)
WORDS = '3 samples (id 12220438) that are not the whole split of 81'


@pytest.mark.parametrize(('run', 'words'), [
    ({}, 'the whole split'), (dict.fromkeys(PART, math.nan), 'the whole split'), (PART, WORDS),
    (PART | dict(samples=1.0), '1 sample (id 12220438) that are not the whole split of 81'),
])  # fmt: skip
def test_samples_of_a_result(run: dict[str, Any], words: str) -> None:
    assert samples_of(run) == words


@pytest.mark.parametrize(('run', 'words'), [
    (dict(NDS=0.1, mAP=0.2), ''), (dict(car_AP=math.nan), ''), (dict(car_AP=0.0), 'means over 1 class (car)'),
    (dict(truck_AP=0.5, mAP=0.5, car_AP=0.0, bus_AP=math.nan), 'means over 2 classes (car, truck)'),
    (dict(big_van_AP=0.5, car_AP_20=0.5), 'means over 1 class (big_van)'),
])  # fmt: skip
def test_classes_of_a_result(run: dict[str, Any], words: str) -> None:
    assert classes_of(run) == words


def runs(*entries: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(entries)


TITLES = [('a', 'A'), ('b', 'B'), ('c', 'C')]


def test_rows_of_a_part_are_named() -> None:
    """A row with a run of each is of both; a row that has no run, and one that is not asked for, is of none."""
    table = runs(dict(row='a') | PART, dict(row='b'), dict(row='b') | PART, dict(row='x', samples=1.0))
    assert parts(table, TITLES) == {WORDS: ['A', 'B']}
    assert parts(runs(dict(row='a'), dict(row='b')), TITLES) == {}


def test_rows_on_one_scope_do_not_differ() -> None:
    assert differing(runs(dict(row='a', car_AP=0.1), dict(row='b', car_AP=0.9)), TITLES) == []
    assert differing(runs(dict(row='a') | PART, dict(row='b') | PART), TITLES) == []
    assert differing(runs(dict(row='x')), []) == []


def test_rows_on_other_samples_and_classes_are_named() -> None:
    """A run without scores by class says nothing of classes; titles may be given once, by a generator."""
    table = runs(
        dict(row='a', car_AP=0.1, bus_AP=0.1), dict(row='b', car_AP=0.1) | PART, dict(row='c', NDS=0.5),
        dict(row='d', car_AP=0.1),
    )  # fmt: skip
    assert differing(table, iter(TITLES)) == [
        f'samples: the whole split: A, C; {WORDS}: B',
        'classes: means over 2 classes (bus, car): A; means over 1 class (car): B',
    ]
    assert differing(table, [('a', 'A'), ('c', 'C')]) == []


def test_many_rows_are_not_all_listed() -> None:
    table = runs(*(dict(row=f'r{i}') for i in range(5)), dict(row='r5') | PART)
    titles = [(f'r{i}', f'R{i}') for i in range(6)]
    assert differing(table, titles) == [f'samples: the whole split: R0, R1, R2, R3, ...; {WORDS}: R5']
