"""Boxes of samples in the LiDAR frame: against poses and places worked out by hand; ranges, categories, bad files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bevdistill.studies.report.samples import Boxes, Samples, read_predictions, read_samples, to_lidar

QUARTER = [[0.0, -1.0, 0.0, 10.0], [1.0, 0.0, 0.0, 20.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]]
"""A quarter turn to the left, 10 m along x and 20 m along y, 1 m up."""
STILL = np.eye(4).tolist()


def info(token: str, instances: list[Any], ego2global: Any = STILL, lidar2ego: Any = STILL) -> dict[str, Any]:
    return dict(token=token, instances=instances, ego2global=ego2global, lidar_points=dict(lidar2ego=lidar2ego))


def instance(x: float, label: int, **more: Any) -> dict[str, Any]:
    return dict(bbox_3d=[x, 0.0, 0.0, 4.0, 2.0, 1.5, 0.5], bbox_label_3d=label, bbox_3d_isvalid=True) | more


def samples_of(root: Path, infos: list[dict[str, Any]], dataset: str = 'own', **data: Any) -> Samples:
    metainfo = dict(categories={'Van': 0, 'Person': 1}, dataset=dataset)
    (root / 'infos.json').write_text(json.dumps(dict(metainfo=metainfo, data_list=infos)))
    wrapped = {'type': 'Wrapper', 'dataset': dict(ann_file='infos.json', data_root=str(root), **data)}
    return read_samples({'test_dataloader': {'dataset': wrapped}, 'test_evaluator': [{}, {'class_range': 30}]})


def test_boxes_of_a_submission_are_moved_to_the_lidar() -> None:
    """A car 5 m ahead of a LiDAR that is turned, 1 m above the ego origin; it looks along global y, the LiDAR's x."""
    lidar2ego = np.eye(4)
    lidar2ego[2, 3] = 1.0
    half = math.sqrt(0.5)
    # In global axes the LiDAR is at (10, 20, 2), its x is global y, its y is global -x.
    table = np.array([[10.0, 25.0, 2.0, 2.0, 4.0, 1.5, half, 0.0, 0.0, half], [7.0, 20.0, 2.0, 1, 2, 3, 2.0, 0, 0, 0]])
    rows = to_lidar(table, info('a', [], QUARTER, lidar2ego.tolist()))
    np.testing.assert_allclose(rows[0], [5.0, 0.0, 0.0, 4.0, 2.0, 1.5, 0.0], atol=1e-12)
    # 3 m to the left, looking along global x, which is to the right.
    np.testing.assert_allclose(rows[1], [0.0, 3.0, 0.0, 2.0, 1.0, 3.0, -math.pi / 2], atol=1e-12)
    assert to_lidar(np.zeros((0, 10)), info('a', [])).shape == (0, 7)


def test_objects_that_count(tmp_path: Path) -> None:
    ahead = np.eye(4)
    ahead[0, 3] = 5.0
    objects = [
        instance(10.0, 0), instance(11.0, 1), instance(12.0, -1), instance(13.0, 0, bbox_3d_isvalid=False),
        instance(26.0, 0), instance(14.0, 1, category='Child'), instance(15.0, 0, category='Van'),
    ]  # fmt: skip
    infos = [info('a', objects, lidar2ego=ahead.tolist()), {**info('b', []), 'instances': None}]
    samples = samples_of(tmp_path, infos, metainfo={'classes': ['walker', 'Van']}, categories={'Child': 'walker'})
    truth = samples.truth('a')
    # The one at 26 m is 31 m from the ego origin; persons are of no class, the child is mapped to one.
    assert sorted(zip(truth.centres[:, 0], truth.labels.tolist(), strict=True)) == [(10.0, 1), (14.0, 0), (15.0, 1)]
    assert len(samples.truth('b')) == 0
    assert samples.path('pts', 'a.bin') == tmp_path / 'a.bin'


def test_folders_and_ranges_are_those_of_nuscenes_or_the_config(tmp_path: Path) -> None:
    samples = samples_of(tmp_path, [info('a', [])], 'nuscenes')
    assert samples.path('CAM_FRONT', 'x.jpg') == tmp_path / 'samples/CAM_FRONT/x.jpg'
    assert samples.limits.tolist() == [30.0] * 10
    own = samples_of(tmp_path, [info('a', [])], data_prefix={'img': 'im'})
    assert own.path('front', 'x.jpg') == tmp_path / 'im/x.jpg' and own.path('pts', 'a') == tmp_path / 'a'
    config = {'val_dataloader': {'dataset': dict(ann_file='infos.json', data_root='x', metainfo={'classes': ['Van']})}}
    moved = read_samples(config | {'val_evaluator': {'class_range': {'Person': 9}}}, tmp_path)
    assert moved.limits.tolist() == [math.inf]
    assert read_samples(config, ann_file=tmp_path / 'infos.json').limits.tolist() == [math.inf]
    with pytest.raises(FileNotFoundError, match=r'no information file x/infos\.json; name the data by --data-root DIR'):
        read_samples(config)
    with pytest.raises(ValueError, match='no config names test data; name them by --data-root DIR --ann-file FILE'):
        read_samples({}, tmp_path)


def test_boxes_that_are_not_finite_are_left_out() -> None:
    boxes = Boxes.of([[1, 2, 3, 4, 5, 6, 7], [math.nan] * 7, [0] * 7], [0, 1, 2], [0.5, 0.6, math.inf])
    assert boxes.labels.tolist() == [0] and boxes.sizes.tolist() == [[4.0, 5.0, 6.0]]
    assert len(Boxes.of([], [])) == 0 and len(Boxes.of([], []).select(np.zeros(0, dtype=bool))) == 0


def predicted_file(root: Path, content: Any) -> Path:
    (root / 'boxes.json').write_text(content if isinstance(content, str) else json.dumps(content))
    return root / 'boxes.json'


def test_predictions_of_a_drive(tmp_path: Path) -> None:
    samples = samples_of(tmp_path, [info('a', []), info('b', [])], metainfo={'classes': ['Van']})
    box = dict(name='Van', score=0.5, centre_m=[1.0, 2.0, 3.0], size_m=[4.0, 2.0, 1.0], yaw_rad=0.5)
    objects = [box, box | dict(score=0.1), box | dict(name='Tram'), box | dict(centre_m=[40.0, 0.0, 0.0])]
    moments = [dict(token='a', objects=objects), dict(token='b', objects=[]), dict(token='c', objects=[box])]
    found = read_predictions(predicted_file(tmp_path, dict(moments=moments)), samples, 0.2)
    assert list(found) == ['a', 'b'] and len(found['b']) == 0
    assert found['a'].centres.tolist() == [[1.0, 2.0, 3.0]] and found['a'].yaws.tolist() == [0.5]


@pytest.mark.parametrize('content', ['', '[]', '{}', '{"moments": [{"token": "a", "objects": [{"score": "x"}]}]}'])
def test_what_is_no_file_of_predictions(tmp_path: Path, content: str) -> None:
    samples = samples_of(tmp_path, [info('a', [])], metainfo={'classes': ['Van']})
    with pytest.raises(ValueError, match=r'boxes\.json is no file of predictions as bevdistill predict writes it'):
        read_predictions(predicted_file(tmp_path, content), samples, 0.2)
    with pytest.raises(ValueError, match='have no sample in common; name the data by --data-root DIR'):
        read_predictions(predicted_file(tmp_path, '{"moments": []}'), samples, 0.2)


def test_predictions_of_a_submission(tmp_path: Path) -> None:
    """In global axes, width before length; those of other samples and classes, and that score less, are left out."""
    samples = samples_of(tmp_path, [info('a', [], QUARTER), info('b', [])], metainfo={'classes': ['bus', 'car']})
    half = math.sqrt(0.5)
    box = dict(
        sample_token='a', translation=[10.0, 25.0, 3.0], size=[2.0, 4.0, 1.5], rotation=[half, 0.0, 0.0, half],
        velocity=[0.0, 0.0], detection_name='car', detection_score=0.2, attribute_name='',
    )  # fmt: skip
    boxes = [box | dict(detection_score=0.1), box, box | dict(detection_name='truck')]
    boxes.append(box | dict(translation=[90, 0, 0]))
    elsewhere = [box | dict(sample_token='c')]
    (tmp_path / 'results_nusc.json').write_text(json.dumps(dict(results=dict(c=elsewhere, b=[], a=boxes))))
    found = read_predictions(tmp_path / 'results_nusc.json', samples, 0.2)
    assert list(found) == ['b', 'a'] and len(found['b']) == 0
    # The car is turned by 90 degrees, 1 m up: 5 m along its x, and the box looks where it does.
    np.testing.assert_allclose(found['a'].centres, [[5.0, 0.0, 2.0]], atol=1e-12)
    assert found['a'].sizes.tolist() == [[4.0, 2.0, 1.5]] and found['a'].yaws == pytest.approx([0.0])
    assert (found['a'].labels.tolist(), found['a'].scores.tolist()) == ([1], [0.2])
