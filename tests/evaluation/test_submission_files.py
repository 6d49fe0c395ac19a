"""Submission files of the metric: against mmdet3d's own formatting, what they declare and hold, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pytest
from metric_samples import CLASSES, ground_truth, metric, prediction, score
from mmdet3d.evaluation.metrics import NuScenesMetric
from nuscenes.eval.common.loaders import load_prediction
from nuscenes.eval.detection.data_classes import DetectionBox

from bevdistill.datasets.infos import read_infos, write_infos
from bevdistill.evaluation import BEVNuScenesMetric


def test_the_file_does_not_depend_on_who_predicted_what(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Several processes hand their samples over interleaved; the devkit breaks ties of scores by their order."""
    samples = [ground_truth(record, i) for i, record in enumerate(records)]
    texts = []
    for name, order in (('one', [0, 1, 2, 3, 4, 5]), ('ranks', [0, 3, 1, 4, 2, 5])):
        options = dict(format_only=True, jsonfile_prefix=str(tmp_path / name))
        score(metric(synthetic_root, synthetic_infos, **options), [samples[i] for i in order])
        (file,) = (tmp_path / name).rglob('results_nusc.json')
        texts.append(file.read_text())
    assert texts[0] == texts[1]


def test_submission_file_equals_mmdet3ds(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    ours = metric(synthetic_root, synthetic_infos, format_only=True, jsonfile_prefix=str(tmp_path / 'ours'))
    theirs = NuScenesMetric(
        data_root=str(synthetic_root),
        ann_file=str(
            write_infos(tmp_path / 'val.json', read_infos(synthetic_infos / 'nuscenes_infos_val.msgpack.gz'))
        ),
        format_only=True,
        jsonfile_prefix=str(tmp_path / 'theirs'),
    )
    theirs.dataset_meta = ours.dataset_meta
    for built in (ours, theirs):
        built.process({}, [ground_truth(r, i) for i, r in enumerate(records)])
        assert built.evaluate(len(records)) == {}
    a, b = (
        mmengine.load(tmp_path / who / 'pred_instances_3d' / 'results_nusc.json')['results']
        for who in ('ours', 'theirs')
    )
    assert a.keys() == b.keys()
    for token in a:
        # Best first here, as given there.
        key = lambda box: -box['detection_score']  # noqa: E731
        for mine, other in zip(a[token], sorted(b[token], key=key), strict=True):
            for name in ('translation', 'size', 'velocity'):
                np.testing.assert_allclose(mine[name], other[name], atol=2e-4)
            turn = abs(np.dot(mine['rotation'], other['rotation']))
            assert turn == pytest.approx(1.0, abs=1e-6)
            assert mine['detection_name'] == other['detection_name']
            assert mine['attribute_name'] == other['attribute_name']
            assert mine['detection_score'] == pytest.approx(other['detection_score'])


def written(built: BEVNuScenesMetric, folder: Path, samples: list[dict[str, Any]]) -> Path:
    """The submission file of some predictions."""
    built.process({}, samples)
    assert built.evaluate(len(samples)) == {}
    return folder / 'pred_instances_3d' / 'results_nusc.json'


@pytest.mark.parametrize(
    ('options', 'declared'),
    [
        ({}, {'use_camera'}),
        ({'use_external': True}, {'use_camera', 'use_external'}),
        ({'modality': {'use_lidar': True, 'use_map': True, 'use_camera': False}}, {'use_lidar', 'use_map'}),
    ],
)
def test_a_submission_declares_what_the_data_set_loads_or_the_option_says(
    synthetic_root: Path,
    synthetic_infos: Path,
    records: list[dict[str, Any]],
    tmp_path: Path,
    options: dict[str, Any],
    declared: set[str],
) -> None:
    built = metric(synthetic_root, synthetic_infos, format_only=True, jsonfile_prefix=str(tmp_path), **options)
    path = written(built, tmp_path, [ground_truth(r, i) for i, r in enumerate(records)])
    meta = mmengine.load(path)['meta']
    assert set(meta) == {'use_camera', 'use_lidar', 'use_radar', 'use_map', 'use_external'}
    assert {flag for flag, used in meta.items() if used is True} == declared


def test_a_submission_has_every_sample_and_at_most_500_boxes_of_each(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    many = np.tile([5.0, 5.0, 0.0, 4.0, 2.0, 1.5, 0.0, 0.0, 0.0], (600, 1))
    samples = [prediction(records[0], 0, many, [0] * 600)]
    samples += [prediction(r, i, np.zeros((0, 9)), []) for i, r in enumerate(records[1:], start=1)]
    built = metric(synthetic_root, synthetic_infos, format_only=True, jsonfile_prefix=str(tmp_path))
    boxes, _ = load_prediction(str(written(built, tmp_path, samples)), 500, DetectionBox)
    assert set(boxes.sample_tokens) == {record['token'] for record in records}
    kept = boxes[records[0]['token']]
    assert len(kept) == 500
    assert [len(boxes[record['token']]) for record in records[1:]] == [0] * (len(records) - 1)
    # The best are kept: the lowest 100 of scores from 0.5 to 0.9 are gone.
    assert min(box.detection_score for box in kept) == pytest.approx(0.5 + 0.4 * 100 / 599, abs=1e-4)


def test_samples_without_a_prediction_are_an_error_and_what_there_is_stays(
    synthetic_root: Path, synthetic_infos: Path, records: list[dict[str, Any]], tmp_path: Path
) -> None:
    built = metric(synthetic_root, synthetic_infos, format_only=True, jsonfile_prefix=str(tmp_path))
    message = rf'{len(records) - 1} of {len(records)} samples of .*_val.* have no prediction, .*{records[1]["token"]}.*'
    message += 'the test server wants every sample'
    with pytest.raises(ValueError, match=message):
        written(built, tmp_path, [ground_truth(records[0], 0)])
    assert list(mmengine.load(tmp_path / 'pred_instances_3d' / 'results_nusc.json')['results']) == [records[0]['token']]


def test_what_cannot_be_submitted_is_refused_before_anything_is_predicted(synthetic_root: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown sensors \['use_sonar'\]"):
        BEVNuScenesMetric(data_root=str(synthetic_root), modality={'use_sonar': True})
    built = BEVNuScenesMetric(data_root=str(synthetic_root), format_only=True, jsonfile_prefix='x')
    with pytest.raises(ValueError, match='does not tell which it loads'):
        built.dataset_meta = {'classes': CLASSES, 'version': 'v1.0-test'}
