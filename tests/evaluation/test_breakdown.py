"""Scores of parts of a results file, by hand: which boxes a part has, what its rows say."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.detection.data_classes import DetectionBox, DetectionMetricDataList

from bevdistill.evaluation.breakdown import ScoredResults, curve_table


def box(token: str, name: str, x: float, level: str = '4', **given: Any) -> DetectionBox:
    made = DetectionBox(
        token, (x, 0, 0), (1, 1, 1), velocity=(0, 0), ego_translation=(x, 0, 0), detection_name=name,
        attribute_name='vehicle.parked', **given,
    )  # fmt: skip
    made.visibility = level
    return made


TRUTH = dict(
    a=[box('a', 'car', 5), box('a', 'car', 15, '1'), box('a', 'truck', 5)],
    b=[box('b', 'car', 25), box('b', 'bus', 40)],
    c=[box('c', 'car', 3)],
)  # fmt: skip
SCENES = dict(
    a=dict(name='scene-1', description='Night, rain'), b=dict(name='scene-2', description='Parked cars'),
    c=dict(name='scene-3', description='Night'),
)  # fmt: skip


class Tables:
    """Ground truth of three samples, of which all are the split; ranges of the classes are kept."""

    scene_of = SCENES

    def scope(self, tokens: Collection[str]) -> str:
        return '' if set(tokens) == set(TRUTH) else 'some'

    def truth(self, tokens: Sequence[str], config: Any) -> EvalBoxes:
        return self._within({token: TRUTH[token] for token in tokens}, config)

    def predicted(self, results: dict[str, list[dict[str, Any]]], config: Any) -> EvalBoxes:
        return self._within(
            {token: [box(token, b['detection_name'], b['translation'][0], detection_score=b['detection_score'])
                     for b in boxes] for token, boxes in results.items()}, config
        )  # fmt: skip

    def _within(self, boxes: dict[str, list[DetectionBox]], config: Any) -> EvalBoxes:
        collected = EvalBoxes()
        for token, some in boxes.items():
            near = [one for one in some if one.ego_dist < config.class_range[one.detection_name]]
            collected.add_boxes(token, near)
        return collected


FOUND = dict(a=[(5, 0.9), (30, 0.1)], b=[(26.5, 0.8), (60, 0.7)], c=[])
"""Cars: two of four, the second 1.5 m off, and two in the void, one of them out of the range of cars."""


@pytest.fixture(scope='module')
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = {
        token: [
            dict(
                sample_token=token, translation=[x, 0, 0], size=[1, 1, 1], rotation=[1, 0, 0, 0], velocity=[0, 0],
                detection_name='car', detection_score=score, attribute_name='vehicle.parked',
            )
            for x, score in boxes
        ]
        for token, boxes in FOUND.items()
    }  # fmt: skip
    path = tmp_path_factory.mktemp('predictions') / 'results_nusc.json'
    path.write_text(json.dumps(dict(meta={}, results=results)))
    return path


def scored(file: Path, **options: Any) -> ScoredResults:
    return ScoredResults(Tables(), file, **options)


def rows(table: pd.DataFrame, by: str, group: str = '') -> dict[str, dict[str, Any]]:
    """Rows of a group by class."""
    part = table[(table['by'] == by) & (table['group'] == group)]
    return {row['class']: row for row in part.to_dict('records')}


def test_the_whole_by_hand(file: Path) -> None:
    """Cars: two of four found at 2 m and 4 m, one at 0.5 m and 1 m; ranges are the official.

    Precision, less 0.1, at each hundredth of recall above 0.1: 1 up to the last, where it is that of all predictions.
    """
    results = scored(file, classes=['truck', 'car'], tokens=['b', 'c', 'a'])
    assert results.classes == ['car', 'truck'] and results.unused == ['truck'] and results.scope == ''
    assert len(results.predicted.all) == 3, 'the car at 60 m is beyond the official 50 m'
    table = results.table(results.score(), [])
    assert list(table.columns) == [
        'by', 'group', 'class', 'samples', 'objects', 'NDS', 'AP', 'recall', 'ATE', 'ASE', 'AOE', 'AVE', 'AAE'
    ]  # fmt: skip
    found = rows(table, 'all')
    assert list(found) == ['mean', 'car', 'truck'], 'no buses: they are not to be detected'
    car, truck, mean = found['car'], found['truck'], found['mean']
    quarter, half = (14 * 0.9 + 1 / 3 - 0.1) / 90 / 0.9, (39 * 0.9 + 2 / 3 - 0.1) / 90 / 0.9
    assert car['AP'] == pytest.approx((quarter + half) / 2)
    assert (car['samples'], car['objects'], car['recall']) == (3, 4, 0.5)
    assert car['ATE'] == pytest.approx(sum(_running_means()) / 40) and car['ASE'] == pytest.approx(0)
    assert (truck['objects'], truck['AP'], truck['recall'], truck['ATE']) == (1, 0, 0, 1)
    assert math.isnan(car['NDS']) and math.isnan(truck['NDS'])
    assert (mean['objects'], mean['recall']) == (5, 0.25)
    assert mean['AP'] == pytest.approx(car['AP'] / 2) and mean['ATE'] == pytest.approx((car['ATE'] + 1) / 2)
    errors = [mean[name] for name in ('ATE', 'ASE', 'AOE', 'AVE', 'AAE')]
    assert mean['NDS'] == pytest.approx((5 * mean['AP'] + sum(1 - error for error in errors)) / 10)


def _running_means() -> list[float]:
    """The mean error of what is found up to each recall from 0.11 to 0.5: 0 up to 0.25, then towards 0.75."""
    return [0.75 * max(0, recall - 25) / 25 for recall in range(11, 51)]


def test_nothing_of_the_classes_is_no_number(file: Path) -> None:
    results = scored(file, classes=['bicycle'])
    whole = results.score()
    assert whole[0]['counted'] == []
    mean = rows(results.table(whole, []), 'all')['mean']
    assert mean['objects'] == 0 and all(math.isnan(mean[name]) for name in ('recall', 'AP', 'ATE', 'NDS'))


def test_all_ten_count_of_the_whole_split_or_where_it_is_asked(file: Path) -> None:
    assert len(scored(file).score()[0]['counted']) == 10
    assert scored(file, tokens=['a']).score()[0]['counted'] == ['car', 'truck']
    assert len(scored(file, tokens=['a'], all_classes=True).score()[0]['counted']) == 10
    assert scored(file, classes=['car', 'bus']).score()[0]['counted'] == ['car', 'bus']


def test_ranges_of_ones_own(file: Path) -> None:
    assert len(scored(file, class_range=20.0).truth.all) == 4
    nearer = scored(file, class_range=dict(car=10.0))
    assert [b.detection_name for b in nearer.truth.all] == ['car', 'truck', 'bus', 'car'], 'others keep the official'
    assert len(nearer.predicted.all) == 1


@pytest.fixture(scope='module')
def table(file: Path) -> pd.DataFrame:
    results = scored(file, classes=['car', 'bus'])
    groups = results.groups(['light', 'distance', 'weather', 'visibility'], [0, 10, 50], ['x=scene-1,scene-2'])
    return results.table(results.score(), groups)


def test_groups_come_by_kind(table: pd.DataFrame) -> None:
    """Bands and levels as they are asked for; then the lists of scenes and what scenes are described by."""
    names = list(dict.fromkeys(zip(table['by'], table['group'], strict=True)))
    assert names == [
        ('all', ''), ('distance', '0 to 10 m'), ('distance', '10 to 50 m'), ('visibility', '0 to 40 %'),
        ('visibility', '40 to 60 %'), ('visibility', '60 to 80 %'), ('visibility', '80 to 100 %'), ('scenes', 'x'),
        ('light', 'day'), ('light', 'night'), ('weather', 'dry'), ('weather', 'rain'),
    ]  # fmt: skip


@pytest.mark.parametrize(('by', 'group', 'samples', 'objects', 'recall'), [
    ('distance', '0 to 10 m', 3, 2, 0.5), ('distance', '10 to 50 m', 3, 2, 0.5), ('visibility', '0 to 40 %', 3, 1, 0),
    ('visibility', '80 to 100 %', 3, 3, 0.66), ('scenes', 'x', 2, 3, 0.66), ('light', 'day', 1, 1, 1),
    ('light', 'night', 2, 3, 0.33), ('weather', 'dry', 2, 2, 0.5), ('weather', 'rain', 1, 2, 0.5),
])  # fmt: skip
def test_cars_of_a_group(
    by: str, group: str, samples: int, objects: int, recall: float, table: pd.DataFrame
) -> None:
    """The devkit counts recall in hundredths, rounded down."""
    car = rows(table, by, group)['car']
    assert (car['samples'], car['objects'], car['recall']) == (samples, objects, pytest.approx(recall))


def test_a_group_counts_the_classes_that_it_has(table: pd.DataFrame) -> None:
    """The only bus, which is not found, is by day: half of the mean there, and none of it at night."""
    day, night = rows(table, 'light', 'day'), rows(table, 'light', 'night')
    assert day['mean']['AP'] == pytest.approx(day['car']['AP'] / 2) and day['bus']['AP'] == 0
    assert night['mean']['AP'] == night['car']['AP'] and math.isnan(night['bus']['AP'])


@pytest.mark.parametrize(('options', 'message'), [
    (dict(classes=['car', 'tram']), "no class 'tram'; nuScenes has car, truck, bus, trailer, construction_vehicle, "
     'pedestrian, motorcycle, bicycle, traffic_cone, barrier'),
    (dict(tokens=['a', 'x', 'y']), '{file} has no predictions for 2 of 3 samples, the first is x'),
    (dict(class_range=-1.0), 'class_range is in metres and must be positive'),
])  # fmt: skip
def test_mistakes_are_named(options: dict[str, Any], message: str, file: Path) -> None:
    with pytest.raises(ValueError) as error:
        scored(file, **options)
    assert str(error.value).startswith(message.format(file=file))


def test_curves_are_steps_of_recall(file: Path) -> None:
    """The second car is found from 2 m on; the box in the void makes the precision at the last recall 2 of 3."""
    curves = curve_table(scored(file, classes=['car', 'truck']).score()[1])
    assert list(curves.columns) == ['class', 'distance', 'recall', 'precision', 'confidence']
    assert len(curves) == 2 * 4 * 101
    of_cars = curves[curves['class'] == 'car']
    for distance, last, precision in ((1.0, 25, 1 / 3), (2.0, 50, 2 / 3)):
        curve = of_cars[of_cars['distance'] == distance]
        assert curve['precision'].tolist() == pytest.approx([1] * last + [precision] + [0] * (100 - last))
        assert curve['recall'].tolist() == pytest.approx([step / 100 for step in range(101)])
    assert curve['confidence'].tolist()[:26:25] + curve['confidence'].tolist()[49:52] == pytest.approx(
        [0.9, 0.9, 0.804, 0.1, 0]
    )
    nothing = curve_table(DetectionMetricDataList())
    assert nothing.empty and list(nothing.columns) == list(curves.columns)
