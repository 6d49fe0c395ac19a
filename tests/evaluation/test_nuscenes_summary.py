"""Scores summed up, by hand: which classes count, the NDS of those that are measured, the words of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.detection.data_classes import DetectionBox

from bevdistill.evaluation.nuscenes_summary import (
    class_table,
    empty_summary,
    full_class_range,
    partial_nds,
    score_boxes,
    short_metrics,
    title,
)

CONFIG = config_factory('detection_cvpr_2019')
TEN = CONFIG.class_names


def boxes(*rows: tuple[str, float], score: float = -1.0, size: float = 1.0) -> EvalBoxes:
    """Cubes of one sample by class and place along x."""
    collected = EvalBoxes()
    collected.add_boxes('t', [
        DetectionBox('t', (x, 0, 0), (size,) * 3, velocity=(0, 0), detection_name=name, detection_score=score)
        for name, x in rows
    ])  # fmt: skip
    return collected


TRUTH = boxes(('car', 0), ('car', 20), ('pedestrian', 5))
FOUND = boxes(('car', 1.5), score=0.5, size=2.0)
"""One of two cars, 1.5 m off and eight times too large; no pedestrian."""
CAR_AP = 40 / 90 / 2
"""Precision 1 up to a recall of 0.5: 40 of the 90 steps above 0.1; at 2 m and at 4 m, and not at 0.5 m and 1 m."""


@pytest.mark.parametrize(('classes', 'partial', 'all_classes', 'counted', 'mean'), [
    (['car', 'truck', 'pedestrian'], True, False, ['car', 'pedestrian'], CAR_AP / 2),
    (['car', 'truck'], True, False, ['car'], CAR_AP),
    (['car', 'truck'], False, False, ['car'], CAR_AP),
    (TEN, True, False, ['car', 'pedestrian'], CAR_AP / 2),
    (TEN, False, False, TEN, CAR_AP / 10),
    (['car'], True, True, TEN, CAR_AP / 10),
    (['truck'], True, False, [], math.nan),
])  # fmt: skip
def test_the_classes_that_count(
    classes: list[str], partial: bool, all_classes: bool, counted: list[str], mean: float
) -> None:
    summary, curves = score_boxes(TRUTH, FOUND, CONFIG, classes, partial, all_classes)
    assert sorted(summary['counted']) == sorted(counted)
    assert summary['mean_ap'] == pytest.approx(mean, nan_ok=True)
    assert {name: count for name, count in summary['truth'].items() if count} == dict(car=2, pedestrian=1)
    assert set(summary['mean_dist_aps']) == {*classes, *counted}
    for name in set(classes) - set(counted):
        values = [summary['mean_dist_aps'][name], *summary['label_aps'][name].values()]
        values += summary['label_tp_errors'][name].values()
        assert len(values) == 1 + 4 + 5 and all(map(math.isnan, values))
    assert {name for name, _ in curves.md} == set(counted)
    assert len(CONFIG.class_names) == 10, 'the settings given stay'


def test_errors_and_nds_by_hand() -> None:
    """ATE 1.5 counts as 1; ASE 1 - 1/8; a missing attribute counts as 1, the others are exact."""
    summary, _ = score_boxes(TRUTH, FOUND, CONFIG, ['car'])
    assert summary['label_aps']['car'] == pytest.approx({0.5: 0, 1.0: 0, 2.0: 40 / 90, 4.0: 40 / 90})
    errors = summary['tp_errors']
    assert errors['trans_err'] == pytest.approx(1.5) and errors['scale_err'] == pytest.approx(7 / 8)
    assert errors['orient_err'] == errors['vel_err'] == pytest.approx(0)
    assert errors['attr_err'] == 1
    assert summary['nd_score'] == pytest.approx((5 * CAR_AP + 0 + 1 / 8 + 1 + 1 + 0) / 10)


def test_cones_alone_are_scored_by_what_cones_have() -> None:
    cone = boxes(('traffic_cone', 3.0))
    summary, _ = score_boxes(cone, boxes(('traffic_cone', 3.25), score=0.5), CONFIG, ['traffic_cone', 'car'])
    assert [name for name, error in summary['tp_errors'].items() if math.isnan(error)] == [
        'orient_err', 'vel_err', 'attr_err'
    ]  # fmt: skip
    assert summary['mean_ap'] == pytest.approx(1) and summary['nd_score'] == pytest.approx((5 + 0.75 + 1) / 7)


@pytest.mark.parametrize(('errors', 'expected'), [
    ([0.25, 0.5], (5 * 0.5 + 0.75 + 0.5) / 7),
    ([0.25, math.nan], (5 * 0.5 + 0.75) / 6),
    ([1.0, 3.0], 2.5 / 7),
    ([math.nan], 0.5),
])  # fmt: skip
def test_partial_nds(errors: Sequence[float], expected: float) -> None:
    summary = dict(mean_ap=0.5, tp_errors=dict(zip('abcde', errors, strict=False)))
    assert partial_nds(summary, 5) == pytest.approx(expected)


def test_class_range_option() -> None:
    classes = ['car', 'bus']
    assert full_class_range(25, classes) == {'car': 25.0, 'bus': 25.0}
    assert full_class_range({'bus': 10}, classes) == {'bus': 10.0}
    with pytest.raises(ValueError, match=r"names unknown classes \['tram'\]; expected some of \['car', 'bus'\]"):
        full_class_range({'tram': 3}, classes)
    with pytest.raises(ValueError, match=r"must be positive, got \{'car': 0, 'bus': 0\}"):
        full_class_range(0, classes)
    with pytest.raises(ValueError, match=r"must be positive, got \{'bus': nan\}"):
        full_class_range({'car': 1, 'bus': math.nan}, classes)


def summed(**changes: Any) -> dict[str, Any]:
    """A summary of cars and trucks, of which trucks are not measured."""
    nan = math.nan
    errors = dict(trans_err=0.5, scale_err=0.25, orient_err=0.125, vel_err=nan, attr_err=1.0)
    return dict(
        nd_score=0.31236, mean_ap=0.25, tp_errors=errors, counted=['car'],
        mean_dist_aps=dict(car=0.25, truck=nan), label_aps=dict(car={0.5: 0.1, 2.0: 0.4}, truck={0.5: nan, 2.0: nan}),
        label_tp_errors=dict(car=errors, truck=dict.fromkeys(errors, nan)),
    ) | changes  # fmt: skip


def test_numbers_to_log() -> None:
    found = short_metrics(summed(), ['truck', 'car'])
    assert list(found) == [
        'NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE', 'AP_0.5', 'AP_2.0', 'truck_AP', 'car_AP'
    ]  # fmt: skip
    assert list(found.values()) == pytest.approx(
        [0.3124, 0.25, 0.5, 0.25, 0.125, math.nan, 1.0, 0.1, 0.4, math.nan, 0.25], nan_ok=True
    )
    both = summed(label_aps=dict(car={0.5: 0.1}, truck={0.5: 0.2}))
    assert short_metrics(both, ['car'])['AP_0.5'] == 0.15
    assert math.isnan(short_metrics(summed(label_aps=dict(truck={0.5: math.nan})), [])['AP_0.5'])


@pytest.mark.parametrize(('counted', 'classes', 'scope', 'words'), [
    (TEN, TEN, '', ''),
    (['car'], ['car'], '', '; over 1 of 10 classes: car'),
    (['car', 'bus'], ['car', 'bus', 'truck', 'barrier'], '',
     '; over 2 of 10 classes: car, bus; no ground truth: truck, barrier'),
    ([], ['car'], '', '; over 0 of 10 classes: none; no ground truth: car'),
    (TEN, TEN, '3 of 4 samples', '; 3 of 4 samples: not comparable with the official score'),
])  # fmt: skip
def test_a_title_says_what_was_scored(counted: list[str], classes: list[str], scope: str, words: str) -> None:
    assert title(summed(counted=counted), classes, scope) == f'NDS 0.3124  mAP 0.2500{words}'


def test_the_table_word_for_word() -> None:
    first, *rows = class_table(summed(), ['car', 'truck'], 'one sample').splitlines()
    assert first == title(summed(), ['car', 'truck'], 'one sample')
    assert [row.strip('|').split() for row in rows if '|' in row] == [
        line.split() for line in (
            'class | AP | ATE | ASE | AOE | AVE | AAE', 'car | 0.250 | 0.500 | 0.250 | 0.125 | nan | 1.000',
            'truck | nan | nan | nan | nan | nan | nan', 'mean | 0.250 | 0.500 | 0.250 | 0.125 | nan | 1.000',
        )
    ]  # fmt: skip


def test_nothing_detected_has_every_class_and_error() -> None:
    nothing = empty_summary(CONFIG)
    assert short_metrics(nothing, TEN).keys() == {
        'NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE', 'AP_0.5', 'AP_1.0', 'AP_2.0', 'AP_4.0',
        *(f'{name}_AP' for name in TEN),
    }  # fmt: skip
    assert nothing['nd_score'] == nothing['mean_ap'] == 0 and set(nothing['tp_errors'].values()) == {1.0}
    assert nothing['label_tp_errors']['barrier']['trans_err'] == 1 and nothing['label_aps']['car'][2.0] == 0
    not_measured = {
        (name, error) for name, errors in nothing['label_tp_errors'].items() for error in errors
        if math.isnan(errors[error])
    }  # fmt: skip
    assert not_measured == {
        ('traffic_cone', 'attr_err'), ('traffic_cone', 'vel_err'), ('traffic_cone', 'orient_err'),
        ('barrier', 'attr_err'), ('barrier', 'vel_err'),
    }  # fmt: skip
