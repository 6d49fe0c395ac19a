"""The metric on the synthetic root: ground truth, nothing, splits, classes and ranges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from metric_samples import CLASSES, ground_truth, metric, prediction, score
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.evaluate import NuScenesEval

from bevdistill.datasets.infos import read_infos
from bevdistill.evaluation import BEVNuScenesMetric, nuscenes_metric
from bevdistill.evaluation.nuscenes_summary import empty_summary


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the metric logs."""
    lines: list[str] = []
    monkeypatch.setattr(nuscenes_metric, 'print_log', lambda text, *_: lines.append(text))
    return lines


def test_ground_truth_scores_one(synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]) -> None:
    scores = score(metric(synthetic_root, synthetic_infos), [ground_truth(r, i) for i, r in enumerate(records)])
    assert scores['nuscenes/mAP'] == pytest.approx(1.0, abs=1e-3)
    for name in ('mATE', 'mASE', 'mAOE', 'mAVE'):
        assert scores[f'nuscenes/{name}'] == pytest.approx(0.0, abs=1e-2), name
    # Attributes are guessed from the speed, which cannot tell a parked car from one that has stopped.
    assert scores['nuscenes/NDS'] == pytest.approx(1 - scores['nuscenes/mAAE'] / 10, abs=1e-2)
    assert scores['nuscenes/mAAE'] < 0.5
    expected = {'NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE', 'AP_0.5', 'AP_1.0', 'AP_2.0', 'AP_4.0'}
    assert {name.removeprefix('nuscenes/') for name in scores} == expected | {f'{name}_AP' for name in CLASSES}


def test_positions_do_not_matter_tokens_do(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]
) -> None:
    shuffled = [ground_truth(record, 0) for record in reversed(records)]
    assert score(metric(synthetic_root, synthetic_infos), shuffled)['nuscenes/mAP'] == pytest.approx(1.0, abs=1e-3)


def test_boxes_a_metre_off(synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]) -> None:
    samples = [ground_truth(r, i, shift=1.1) for i, r in enumerate(records)]
    scores = score(metric(synthetic_root, synthetic_infos), samples)
    assert scores['nuscenes/AP_1.0'] < 0.5 < scores['nuscenes/AP_2.0']


def test_no_boxes_at_all(synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]) -> None:
    samples = [prediction(r, i, np.zeros((0, 9)), []) for i, r in enumerate(records)]
    scores = score(metric(synthetic_root, synthetic_infos), samples)
    assert scores['nuscenes/NDS'] == scores['nuscenes/mAP'] == scores['nuscenes/car_AP'] == 0
    assert scores['nuscenes/mATE'] == 1


def test_empty_summary_is_what_the_devkit_says_of_useless_boxes(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]
) -> None:
    """One traffic cone in the sky, so that the devkit agrees to run."""
    built = metric(synthetic_root, synthetic_infos)
    sky = np.array([[90.0, 0, 60, 0.4, 0.4, 1, 0, 0, 0]])
    samples = [prediction(r, i, sky, [8]) for i, r in enumerate(records)]
    built.eval_detection_configs.class_range['traffic_cone'] = 100.0
    scores = score(built, samples)
    nothing = empty_summary(built.eval_detection_configs)
    assert scores['nuscenes/NDS'] == nothing['nd_score']
    assert scores['nuscenes/mAOE'] == nothing['tp_errors']['orient_err']


def test_class_range_counts_predictions_and_ground_truth_alike(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]
) -> None:
    near = metric(synthetic_root, synthetic_infos, class_range=15.0)
    samples = [ground_truth(r, i) for i, r in enumerate(records)]
    scores = score(near, samples)
    # Classes without an object within 15 m score 0; all others are still perfect.
    assert {scores[f'nuscenes/{name}_AP'] for name in CLASSES} <= {0.0, 1.0}
    assert scores['nuscenes/car_AP'] == 1.0


def test_the_file_may_be_named_relative_to_the_root(synthetic_root: Path) -> None:
    built = BEVNuScenesMetric(data_root=str(synthetic_root))
    assert built.ann_file == str(synthetic_root / 'nuscenes_infos_val.msgpack.gz')


def test_the_official_split_is_scored_as_the_devkit_does(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    """To the last digit, with boxes of all scores and some that are wrong."""
    random = np.random.default_rng(0)
    samples = [ground_truth(record, i) for i, record in enumerate(records)]
    for sample in samples:
        boxes, labels = (sample['pred_instances_3d'][key] for key in ('bboxes_3d', 'labels_3d'))
        boxes.tensor[:, :2] += torch.from_numpy(random.normal(0, 0.7, (len(labels), 2))).float()
        boxes.tensor[:, 3:7] *= 1.1
        sample['pred_instances_3d']['scores_3d'] = torch.from_numpy(random.random(len(labels)).round(1))
        labels[::7] = 0
    score(metric(synthetic_root, synthetic_infos, jsonfile_prefix=str(tmp_path)), samples)
    folder = tmp_path / 'pred_instances_3d'
    ours = json.loads((folder / 'metrics_summary.json').read_text())
    devkit = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    config = config_factory('detection_cvpr_2019')
    official = NuScenesEval(
        devkit, config, str(folder / 'results_nusc.json'), 'mini_val', str(tmp_path / 'official'), verbose=False
    )
    official.main(render_curves=False)
    theirs = json.loads((tmp_path / 'official' / 'metrics_summary.json').read_text())
    assert 0.1 < ours['nd_score'] < 0.9
    for key in ('nd_score', 'mean_ap', 'tp_errors', 'mean_dist_aps', 'label_aps', 'label_tp_errors'):
        # As text, since NaN is not NaN.
        assert json.dumps(ours[key], sort_keys=True) == json.dumps(theirs[key], sort_keys=True), key


def test_any_samples_are_scored_and_the_table_says_which(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]], logged: list[str]
) -> None:
    """The first sample alone is perfect over the classes that it has; the others do not count as missed."""
    built = metric(synthetic_root, synthetic_infos, class_range={'bus': 0.1, 'barrier': 0.1})
    scores = score(built, [ground_truth(records[0], 0)])
    assert scores['nuscenes/mAP'] == scores['nuscenes/car_AP'] == 1.0
    assert np.isnan(scores['nuscenes/bus_AP'])
    text = ''.join(logged)
    assert f'1 of the {len(records)} samples of the split mini_val: not comparable with the official score' in text
    assert 'no ground truth: bus, barrier' in text
    assert (scores['nuscenes/samples'], scores['nuscenes/split_samples']) == (1, len(records))


def test_the_training_split_is_scored(synthetic_root: Path, synthetic_infos: Path, logged: list[str]) -> None:
    file = synthetic_infos / 'nuscenes_infos_train.msgpack.gz'
    records = list(read_infos(file)['data_list'])
    samples = [ground_truth(record, i) for i, record in enumerate(records)]
    assert score(metric(synthetic_root, synthetic_infos, ann_file=str(file)), samples)['nuscenes/mAP'] == 1.0
    assert f'{len(records)} samples, of which 0 of the' in ''.join(logged)


def test_means_are_over_the_classes_that_are_detected(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]], logged: list[str]
) -> None:
    two = [CLASSES.index('barrier'), CLASSES.index('traffic_cone')]
    samples = []
    for i, record in enumerate(records):
        sample = ground_truth(record, i)['pred_instances_3d']
        kept = torch.isin(sample['labels_3d'], torch.tensor(two))
        labels = (sample['labels_3d'][kept] == two[1]).long()
        samples.append(prediction(record, i, np.zeros((0, 9)), []))
        samples[-1]['pred_instances_3d'] = dict(
            bboxes_3d=sample['bboxes_3d'][kept], scores_3d=sample['scores_3d'][kept], labels_3d=labels
        )
    found = {}
    for all_classes in (False, True):
        built = metric(synthetic_root, synthetic_infos, all_classes=all_classes)
        built.dataset_meta = built.dataset_meta | {'classes': ['barrier', 'traffic_cone']}
        found[all_classes] = score(built, samples)
    assert 'over 2 of 10 classes: ' in ''.join(logged)
    assert found[False]['nuscenes/mAP'] == 1.0
    assert found[True]['nuscenes/mAP'] == pytest.approx(0.2)
    # Barriers and cones have neither velocity nor attribute: the NDS is that of AP and the other errors, all perfect.
    assert np.isnan(found[False]['nuscenes/mAVE']) and np.isnan(found[False]['nuscenes/mAAE'])
    assert found[False]['nuscenes/NDS'] == pytest.approx(1.0, abs=0.01)
    assert set(found[False]) == set(found[True])


def test_nothing_that_counts_is_no_score(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]
) -> None:
    """Nothing lies within a centimetre of the car."""
    built = metric(synthetic_root, synthetic_infos, class_range=0.01)
    scores = score(built, [ground_truth(records[0], 0)])
    assert np.isnan(scores['nuscenes/NDS']) and np.isnan(scores['nuscenes/car_AP'])


def test_predictions_of_another_split(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]]
) -> None:
    strange = ground_truth({**records[0], 'token': 'elsewhere'}, 0)
    with pytest.raises(ValueError, match=r'nuscenes_infos_val.* lacks 1 predicted sample, .*elsewhere'):
        score(metric(synthetic_root, synthetic_infos), [strange])


@pytest.mark.parametrize('version', ['v1.0-test', None])
def test_data_without_public_annotations_are_refused_at_once(synthetic_root: Path, version: str | None) -> None:
    built = BEVNuScenesMetric(data_root=str(synthetic_root))
    message = rf'{version!r} have no public annotations to score .*test\.py .*--format-only'
    with pytest.raises(ValueError, match=message):
        built.dataset_meta = {'classes': CLASSES, 'version': version, 'modality': {}}
