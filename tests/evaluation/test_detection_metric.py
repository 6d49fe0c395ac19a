"""Scores of one's own data, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from own_data import made_up_sample, write_samples

from bevdistill.datasets.infos import read_infos
from bevdistill.datasets.infos.own import import_own_data
from bevdistill.evaluation import BEVDetectionMetric
from bevdistill.evaluation.detection_metric import class_table, summary

META = {'classes': ['vehicle', 'Person', 'Tram'], 'category_map': {'Van': 'vehicle', 'Bus': 'vehicle'}}


@pytest.fixture
def infos(tmp_path: Path) -> dict[str, Any]:
    write_samples(tmp_path, [made_up_sample(tmp_path, i) for i in range(2)])
    return read_infos(str(import_own_data(tmp_path, [])[0]))


def predictions(record: dict[str, Any], shift: float = 0.0) -> dict[str, Any]:
    """The ground truth of a record, moved along y, as predictions."""
    boxes = [[*box['bbox_3d'], *box['velocity']] for box in record['instances']]
    labels = [0 if box['bbox_label_3d'] == 1 else 1 for box in record['instances']]
    tensor = torch.tensor(boxes).nan_to_num()
    tensor[:, 1] += shift
    found = LiDARInstance3DBoxes(tensor, box_dim=9, origin=(0.5, 0.5, 0.5))
    result = {'bboxes_3d': found, 'scores_3d': torch.linspace(0.9, 0.5, len(boxes)), 'labels_3d': torch.tensor(labels)}
    return {'token': record['token'], 'pred_instances_3d': result}


def score(root: Path, predicted: list[dict[str, Any]], **options: Any) -> dict[str, float]:
    metric = BEVDetectionMetric('own_infos_train.msgpack.gz', data_root=str(root), **options)
    metric.dataset_meta = META
    metric.process({}, predicted)
    scores: dict[str, float] = metric.evaluate(size=len(predicted))
    return {name.removeprefix('detection/'): value for name, value in scores.items()}


def test_the_ground_truth_scores_one(tmp_path: Path, infos: dict[str, Any]) -> None:
    scores = score(tmp_path, [predictions(record) for record in infos['data_list']])
    assert scores['mAP'] == scores['vehicle_AP'] == scores['Person_AP_2.0'] == 1.0
    assert [scores[name] for name in ('mATE', 'mASE', 'mAOE', 'mAVE')] == pytest.approx([0, 0, 0, 0], abs=1e-3)
    assert 'Tram_AP' not in scores


def test_boxes_that_are_off_by_a_metre_and_a_half_count_from_2_m_on(tmp_path: Path, infos: dict[str, Any]) -> None:
    scores = score(tmp_path, [predictions(record, 1.5) for record in infos['data_list']])
    assert [scores[f'AP_{limit}'] for limit in (0.5, 1.0, 2.0, 4.0)] == [0.0, 0.0, 1.0, 1.0]
    assert scores['mATE'] == pytest.approx(1.5, abs=1e-3)


def test_only_predicted_samples_and_boxes_in_range_count(tmp_path: Path, infos: dict[str, Any]) -> None:
    """Within 12 m of the ego car is the person of the first sample, 10 m ahead, and not the van, 20 m ahead."""
    scores = score(tmp_path, [predictions(infos['data_list'][0])], class_range=12.0)
    assert scores['Person_AP'] == 1.0
    assert 'vehicle_AP' not in scores


def test_bands_of_distance_by_hand(tmp_path: Path, infos: dict[str, Any]) -> None:
    """Persons, 10 m and 5 m from the car, are exact; vans, 20 m and 15 m, are off by 1.5 m, half of the distances."""
    samples = [predictions(record) for record in infos['data_list']]
    for sample in samples:
        boxes, labels = sample['pred_instances_3d']['bboxes_3d'], sample['pred_instances_3d']['labels_3d']
        boxes.tensor[labels == 0, 1] += 1.5
    scores = score(tmp_path, samples, bands=[0, 12, 30, 40])
    assert (scores['mAP'], scores['mAP_0-12m'], scores['mAP_12-30m']) == (0.75, 1.0, 0.5)
    assert (scores['Person_AP_0-12m'], scores['vehicle_AP_12-30m']) == (1.0, 0.5)
    assert scores['mATE_12-30m'] == pytest.approx(1.5, abs=1e-3)
    assert np.isnan(scores['mAP_30-40m'])
    assert not {'vehicle_AP_0-12m', 'AP_2.0_0-12m', 'samples'} & set(scores)
    for wrong in ([5], [10, 5], [-1, 5]):
        with pytest.raises(ValueError, match='bands: expected two or more metres from 0 on that increase'):
            BEVDetectionMetric('infos', bands=wrong)


def test_a_part_of_the_file_is_told(tmp_path: Path, infos: dict[str, Any]) -> None:
    first, second = (score(tmp_path, [predictions(record)]) for record in infos['data_list'])
    assert (first['samples'], first['split_samples']) == (1, 2)
    assert first['samples_id'] != second['samples_id']


def empty(record: dict[str, Any]) -> dict[str, Any]:
    boxes = LiDARInstance3DBoxes(torch.zeros(0, 9), box_dim=9)
    nothing = {'bboxes_3d': boxes, 'scores_3d': torch.zeros(0), 'labels_3d': torch.zeros(0, dtype=torch.long)}
    return {'token': record['token'], 'pred_instances_3d': nothing}


def test_only_boxes_on_the_grid_count(tmp_path: Path, infos: dict[str, Any]) -> None:
    """The van is 19 m ahead of the LiDAR and 2 m to its left, the person 9 m ahead."""
    first = [predictions(infos['data_list'][0])]
    assert score(tmp_path, first, point_cloud_range=[-3, -20, -5, 3, 20, 3])['vehicle_AP'] == 1.0
    assert 'vehicle_AP' not in score(tmp_path, first, point_cloud_range=[-1, -20, -5, 3, 20, 3])
    assert 'vehicle_AP' not in score(tmp_path, first, point_cloud_range=[-3, -20, -5, 3, 18, 3])


def test_no_detection_scores_zero(tmp_path: Path, infos: dict[str, Any]) -> None:
    scores = score(tmp_path, [empty(record) for record in infos['data_list']])
    assert (scores['mAP'], scores['mATE']) == (0.0, 1.0)


def test_a_sample_of_another_file_is_named(tmp_path: Path, infos: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r'own_infos_train.* lacks 1 predicted sample, the first is other'):
        score(tmp_path, [{**empty(infos['data_list'][0]), 'token': 'other'}])
    with pytest.raises(ValueError, match='class_range has no range for Person, Tram'):
        score(tmp_path, [empty(infos['data_list'][0])], class_range={'vehicle': 5.0})


def test_unknown_velocities_are_not_scored(tmp_path: Path) -> None:
    sample = made_up_sample(tmp_path, 0)
    write_samples(tmp_path, [sample])
    record = read_infos(str(import_own_data(tmp_path, [])[0]))['data_list'][0]
    assert np.isnan(record['instances'][0]['velocity']).all()
    assert np.isnan(score(tmp_path, [predictions(record)])['mAVE'])


@pytest.mark.parametrize('bands', [[5], [-1, 5], [0, 5, 5], [0, 10, 5]])
def test_bands_increase_from_nothing_on(bands: list[float]) -> None:
    with pytest.raises(ValueError) as error:
        BEVDetectionMetric('infos.gz', bands=bands)
    assert str(error.value) == f'bands: expected two or more metres from 0 on that increase, got {bands}'


ROWS = {
    'van': {'AP': 0.25, 'AP_2.0': 0.5, 'ATE': 1.0, 'ASE': 0.123456, 'AOE': 0.0, 'AVE': np.nan},
    'tram': {'AP': 0.75, 'AP_2.0': 1.0, 'ATE': 0.5, 'ASE': 0.0, 'AOE': 0.0, 'AVE': np.nan},
}


def test_means_are_over_what_is_measured() -> None:
    found = summary(ROWS, [2.0])
    expected = dict(mAP=0.5, mATE=0.75, mASE=0.0617, mAOE=0.0, mAVE=np.nan) | {'AP_2.0': 0.75}
    expected |= {'van_AP': 0.25, 'van_AP_2.0': 0.5, 'tram_AP': 0.75, 'tram_AP_2.0': 1.0}
    assert found == pytest.approx(expected, nan_ok=True) and list(found) == list(expected)
    nothing = summary({}, [0.5, 2.0])
    assert len(nothing) == 7 and all(map(np.isnan, nothing.values()))


def test_a_table_names_its_samples_band_and_absent_classes() -> None:
    count = dict(van=12, tram=1, ship=0, boat=0)
    lines = class_table(ROWS, count, 1, '0-20m').splitlines()
    assert lines[0].strip('+-') == '1 sample, 0-20m; no ground truth: ship, boat'
    cells = [line.replace('|', ' ').split() for line in lines if '|' in line]
    assert cells == [
        ['class', 'boxes', 'AP', 'AP_2.0', 'ATE', 'ASE', 'AOE', 'AVE'],
        ['van', '12', '0.250', '0.500', '1.000', '0.123', '0.000', 'nan'],
        ['tram', '1', '0.750', '1.000', '0.500', '0.000', '0.000', 'nan'],
    ]
    assert class_table(ROWS, dict(van=1, tram=1), 2).splitlines()[0].strip('+-') == '2 samples'
