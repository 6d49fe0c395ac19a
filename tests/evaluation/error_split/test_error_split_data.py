"""Ground truth, cameras and results files of an error split, on the synthetic nuScenes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nuscenes import NuScenes
from nuscenes.utils.splits import create_splits_scenes

from bevdistill.evaluation.error_split.data import RESULTS, ValidationSplit, results_file
from bevdistill.evaluation.error_split.match import FOUND, MISSED, Cameras
from bevdistill.evaluation.splits import EVAL_SETS

MODALITY = dict(use_camera=True, use_lidar=False, use_radar=False, use_map=False, use_external=False)


@pytest.fixture(scope='module')
def split(synthetic_root: Path) -> ValidationSplit:
    return ValidationSplit(synthetic_root)


def write(folder: Path, results: dict[str, list[Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / RESULTS
    file.write_text(json.dumps(dict(meta=MODALITY, results=results)))
    return file


def test_splits_are_names_of_the_devkit() -> None:
    assert set(EVAL_SETS.values()) <= set(create_splits_scenes())


def test_nothing_predicted_is_everything_missed(split: ValidationSplit, tmp_path: Path) -> None:
    tokens = split._truth.sample_tokens
    outcome = split.outcome(write(tmp_path, {token: [] for token in tokens}))
    assert len(outcome.label) == sum(len(split._truth[token]) for token in tokens) > 0
    assert (outcome.status(0.0) == MISSED).all()
    assert len(outcome.kind) == len(outcome.score) == 0


def test_a_range_of_ones_own_leaves_out_what_is_beyond(synthetic_root: Path, split: ValidationSplit) -> None:
    near = ValidationSplit(synthetic_root, 'v1.0-mini', limit=12.0)
    distances = [box.ego_dist for token in near._truth.sample_tokens for box in near._truth[token]]
    assert 0 < len(distances) < len(split._truth.all)
    assert max(distances) <= 12.0


def test_results_of_other_samples_are_refused(split: ValidationSplit, tmp_path: Path) -> None:
    first = split._truth.sample_tokens[0]
    with pytest.raises(ValueError, match=r'predictions for 1 samples, the split has \d+, and they are not the same'):
        split.outcome(write(tmp_path, {first: []}))


def test_one_exact_box_finds_its_object(split: ValidationSplit, tmp_path: Path) -> None:
    tokens = split._truth.sample_tokens
    results: dict[str, list[Any]] = {token: [] for token in tokens}
    box = split._truth[tokens[0]][0]
    results[tokens[0]] = [dict(box.serialize(), velocity=[0.0, 0.0], detection_score=0.6)]
    outcome = split.outcome(write(tmp_path, results))
    assert (outcome.status(0.5) == FOUND).sum() == 1
    place = int(np.flatnonzero(outcome.status(0.5) == FOUND)[0])
    assert (outcome.depth[place], outcome.lateral[place]) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert split.classes[outcome.label[place]] == box.detection_name
    assert (outcome.status(0.7) == MISSED).all(), 'the score is below this threshold'


def test_cameras_look_away_from_the_car(synthetic_root: Path, split: ValidationSplit) -> None:
    devkit = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    token = split._truth.sample_tokens[0]
    cameras = split._cameras[token]
    assert cameras.centres.shape == cameras.axes.shape == (6, 2)
    assert np.linalg.norm(cameras.axes, axis=1) == pytest.approx(np.ones(6))
    data = devkit.get('sample_data', devkit.get('sample', token)['data']['LIDAR_TOP'])
    ego = np.array(devkit.get('ego_pose', data['ego_pose_token'])['translation'][:2])
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
        ValidationSplit(tmp_path)
