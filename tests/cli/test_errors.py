"""`bevdistill errors` on the synthetic nuScenes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import verbs

from bevdistill.cli import errors


@pytest.mark.parametrize(('words', 'names'), [
    (['a=x/y.json', 'x/b/predictions', 'runs/c/predictions/pred_instances_3d/results_nusc.json'], ['a', 'b', 'c']),
    (['results_nusc.json'], ['results_nusc']), (['=x/b.json', '.'], ['x', 'results']), (['predictions'], ['results']),
])  # fmt: skip
def test_names_of_results(words: list[str], names: list[str]) -> None:
    assert list(errors.named(words)) == names
    with pytest.raises(ValueError, match='two results are called'):
        errors.named([*words, words[0]])


def write_results(root: Path, folder: Path, shift: float) -> Path:
    """The ground truth of the validation split as predictions, each moved away from the car by a factor."""
    from nuscenes import NuScenes
    from nuscenes.eval.common.loaders import load_gt
    from nuscenes.eval.detection.data_classes import DetectionBox

    devkit = NuScenes('v1.0-mini', str(root), verbose=False)
    results = {}
    for token, boxes in load_gt(devkit, 'mini_val', DetectionBox).boxes.items():
        data = devkit.get('sample_data', devkit.get('sample', token)['data']['LIDAR_TOP'])
        ego = np.array(devkit.get('ego_pose', data['ego_pose_token'])['translation'])
        results[token] = []
        for box in boxes:
            away = np.array(box.translation) - ego
            moved = np.array(box.translation) + shift * away / np.linalg.norm(away[:2]) * np.array([1, 1, 0])
            results[token].append(
                dict(box.serialize(), translation=moved.tolist(), velocity=[0.0, 0.0], detection_score=0.7)
            )
    file = folder / 'predictions' / 'results_nusc.json'
    file.parent.mkdir(parents=True)
    modality = dict(use_camera=True, use_lidar=False, use_radar=False, use_map=False, use_external=False)
    file.write_text(json.dumps(dict(meta=modality, results=results)))
    return folder


def test_command_on_the_synthetic_data(
    synthetic_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exact = write_results(synthetic_root, tmp_path / 'exact', 0.0)
    far = write_results(synthetic_root, tmp_path / 'far', 1.0)
    words = [str(synthetic_root), str(exact), str(far), '--out', str(tmp_path / 'split')]
    verbs.run(errors, *words)
    assert '| all | exact |' in capsys.readouterr().out
    with (tmp_path / 'split.csv').open() as file:
        rows = {(row['threshold'], row['objects_of'], row['results']): row for row in csv.DictReader(file)}
    exact_row, far_row = (rows['0.2', 'all', name] for name in ('exact', 'far'))
    assert float(exact_row['found']) == 1.0 and float(exact_row['depth']) == pytest.approx(0.0, abs=1e-6)
    # Moved by 1 m away from the car: nearly all along the rays of cameras that stand within 2 m of its middle.
    assert float(far_row['depth_bias']) > 0.9 and float(far_row['lateral']) < 0.3
    assert (tmp_path / 'split.png').stat().st_size > 20000
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'no results_nusc\.json in'):
        verbs.run(errors, synthetic_root, tmp_path / 'empty')
    with pytest.raises(FileNotFoundError, match='is no nuScenes root: it has no folder'):
        verbs.run(errors, tmp_path, exact)
    with pytest.raises(FileNotFoundError, match=r'no annotated version v1\.0-trainval in .*; there are'):
        verbs.run(errors, synthetic_root, exact, '--version', 'v1.0-trainval')
