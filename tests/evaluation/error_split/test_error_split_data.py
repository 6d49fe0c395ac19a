"""Ground truth, cameras and results files of an error split, on the synthetic nuScenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bevdistill.evaluation.error_split import data
from bevdistill.evaluation.error_split.data import RESULTS, ErrorSplit, results_file
from bevdistill.evaluation.error_split.match import FOUND, MISSED, Cameras
from bevdistill.evaluation.nuscenes_boxes import NuScenesTables
from bevdistill.evaluation.splits import EVAL_SETS

MODALITY = dict(use_camera=True, use_lidar=False, use_radar=False, use_map=False, use_external=False)


@pytest.fixture(scope='module')
def tables(synthetic_root: Path) -> NuScenesTables:
    return NuScenesTables(synthetic_root, 'v1.0-mini')


@pytest.fixture
def split(synthetic_root: Path, tables: NuScenesTables, monkeypatch: pytest.MonkeyPatch) -> ErrorSplit:
    monkeypatch.setattr(data, 'NuScenesTables', lambda *_: tables)
    return ErrorSplit(synthetic_root)


def write(folder: Path, results: dict[str, list[Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / RESULTS
    file.write_text(json.dumps(dict(meta=MODALITY, results=results)))
    return file


def test_nothing_predicted_is_everything_missed(split: ErrorSplit, tables: NuScenesTables, tmp_path: Path) -> None:
    outcome = split.outcome(write(tmp_path, {token: [] for token in tables.official}))
    assert len(outcome.label) == len(split._truth.all) > 0
    assert (outcome.status(0.0) == MISSED).all()
    assert len(outcome.kind) == len(outcome.score) == 0
    assert split.scope == ''


def test_a_range_of_ones_own_leaves_out_what_is_beyond(
    synthetic_root: Path, split: ErrorSplit, tables: NuScenesTables, tmp_path: Path
) -> None:
    file = write(tmp_path, {token: [] for token in tables.official})
    near = ErrorSplit(synthetic_root, 'v1.0-mini', limit=12.0).outcome(file).distance
    assert 0 < len(near) < len(split.outcome(file).distance)
    assert near.max() <= 12.0


def test_results_of_some_samples(split: ErrorSplit, tables: NuScenesTables, tmp_path: Path) -> None:
    """Any samples of the tables, but the same in every file."""
    first, second = list(tables.scene_of)[:2]
    split.outcome(write(tmp_path / 'a', {first: []}))
    assert split.scope.startswith('1 ')
    with pytest.raises(ValueError, match=r'b.* has predictions for 2 samples, .*a.* for 1, and they are not the same'):
        split.outcome(write(tmp_path / 'b', {first: [], second: []}))
    with pytest.raises(ValueError, match='has no sample in it'):
        split.outcome(write(tmp_path / 'c', {}))


def test_one_exact_box_finds_its_object(split: ErrorSplit, tables: NuScenesTables, tmp_path: Path) -> None:
    tokens = sorted(tables.official)
    results: dict[str, list[Any]] = {token: [] for token in tokens}
    box = tables.truth(tokens[:1], split._config)[tokens[0]][0]
    results[tokens[0]] = [dict(box.serialize(), velocity=[0.0, 0.0], detection_score=0.6)]
    outcome = split.outcome(write(tmp_path, results))
    assert (outcome.status(0.5) == FOUND).sum() == 1
    place = int(np.flatnonzero(outcome.status(0.5) == FOUND)[0])
    assert (outcome.depth[place], outcome.lateral[place]) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert split.classes[outcome.label[place]] == box.detection_name
    assert (outcome.status(0.7) == MISSED).all(), 'the score is below this threshold'


def test_cameras_look_away_from_the_car(split: ErrorSplit, tables: NuScenesTables) -> None:
    devkit, token = tables.devkit, min(tables.official)
    cameras = split._cameras_of(token)
    assert cameras.centres.shape == cameras.axes.shape == (6, 2)
    assert np.linalg.norm(cameras.axes, axis=1) == pytest.approx(np.ones(6))
    lidar = devkit.get('sample_data', devkit.get('sample', token)['data']['LIDAR_TOP'])
    ego = np.array(devkit.get('ego_pose', lidar['ego_pose_token'])['translation'][:2])
    assert np.linalg.norm(cameras.centres - ego, axis=1).max() < 3.0, 'mounted on the car'
    assert np.abs(cameras.axes.sum(axis=0)).max() < 1.5, 'they look around, not one way'


def test_the_camera_with_the_nearest_axis_sees_a_place() -> None:
    cameras = Cameras(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    rays = cameras.rays(np.array([[4.0, 4.0], [-4.0, 4.0], [1.0, 0.0]]))
    assert rays[0] == pytest.approx([0.6, 0.8])
    assert rays[1] == pytest.approx([-0.6, 0.8])
    assert np.isfinite(rays).all(), 'an object at a camera has no direction, and no NaN either'


def test_which_file_is_meant(tmp_path: Path) -> None:
    one = write(tmp_path / 'a' / 'pred_instances_3d', {})
    assert results_file(one) == results_file(tmp_path / 'a') == one
    write(tmp_path / 'b', {})
    with pytest.raises(FileNotFoundError, match=r'holds 2 files results_nusc\.json; name one'):
        results_file(tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'no results_nusc\.json in .*; write one with'):
        results_file(tmp_path / 'empty')


def test_two_versions_must_be_chosen_from(tmp_path: Path) -> None:
    for version in EVAL_SETS:
        (tmp_path / version).mkdir()
    with pytest.raises(ValueError, match='choose one with --version'):
        ErrorSplit(tmp_path)
