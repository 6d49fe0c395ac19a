"""`bevdistill score` on the synthetic nuScenes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import verbs
from cli_runs import Run
from nuscenes import NuScenes
from nuscenes.eval.common.loaders import load_gt
from nuscenes.eval.detection.data_classes import DetectionBox

from bevdistill.cli import score


@pytest.fixture(scope='module')
def results(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ground truth of the validation split as predictions."""
    devkit = NuScenes('v1.0-mini', str(synthetic_root), verbose=False)
    boxes: dict[str, list[Any]] = {
        token: [dict(box.serialize(), velocity=[0.0, 0.0], detection_score=0.7) for box in found]
        for token, found in load_gt(devkit, 'mini_val', DetectionBox).boxes.items()
    }
    file = tmp_path_factory.mktemp('predictions') / 'results_nusc.json'
    file.write_text(json.dumps(dict(meta={}, results=boxes)))
    return file


def test_parts_and_files(
    synthetic_root: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = NuScenes('v1.0-mini', str(synthetic_root), verbose=False).scene[-1]['name']
    words = ['--classes', 'car', 'truck', 'barrier', '--by', 'distance', 'visibility', 'light']
    words += ['--bands', '0', '15', '40', '--scenes', f'last={scene}']
    verbs.run(score, synthetic_root, results.parent, *words, '--out', tmp_path / 'out')
    text = capsys.readouterr().out
    assert 'not comparable' not in text and '0 to 15 m' in text and 'last' in text
    with (tmp_path / 'out' / 'scores.csv').open() as file:
        rows = {(row['by'], row['group'], row['class']): row for row in csv.DictReader(file)}
    cars = [float(row['AP']) for (_, _, name), row in rows.items() if name == 'car' and row['AP']]
    assert len(cars) > 3 and min(cars) == 1.0, 'what is predicted exactly is perfect in every part'
    near, far = (int(rows['distance', band, 'mean']['objects']) for band in ('0 to 15 m', '15 to 40 m'))
    levels = [int(row['objects']) for (by, _, name), row in rows.items() if by == 'visibility' and name == 'mean']
    assert 0 < near < near + far <= int(rows['all', '', 'mean']['objects']) == sum(levels)
    with (tmp_path / 'out' / 'confusion.csv').open() as file:
        matrix = list(csv.reader(file))
    assert all(row[column] == '0' for i, row in enumerate(matrix[1:]) for column in range(1, 5) if column != i + 1)
    with (tmp_path / 'out' / 'curves.csv').open() as file:
        assert sum(1 for _ in file) == 1 + 3 * 4 * 101
    assert all((tmp_path / 'out' / name).stat().st_size > 10000 for name in ('curves.png', 'confusion.png'))


def test_some_samples_and_classes(
    synthetic_root: Path, synthetic_infos: Path, results: Path, tmp_path: Path, run: Run
) -> None:
    content = json.loads(results.read_text())
    first = next(iter(content['results']))
    cars = [box for box in content['results'][first] if box['detection_name'] == 'car']
    (tmp_path / 'one.json').write_text(json.dumps(dict(meta={}, results={first: cars})))
    done = run('score', synthetic_root, tmp_path / 'one.json', '--classes', 'bus', 'car')
    assert done.code == 0, done.err
    assert 'mAP 0.5000; over 2 of 10 classes: car, bus; 1 of the' in done.out
    assert 'mAP 0.1000; 1 of the' in (out := run('score', synthetic_root, tmp_path / 'one.json').out)
    assert 'no box is predicted of: truck, bus' in out
    done = run('score', synthetic_root, tmp_path / 'one.json', '--classes', 'car', '--all-classes')
    assert 'mAP 0.1000; 1 of the' in done.out
    done = run('score', synthetic_root, results, '--ann-file', synthetic_infos / 'nuscenes_infos_val.msgpack.gz')
    assert done.code == 0 and 'not comparable' not in done.out


@pytest.mark.parametrize(('content', 'words', 'message'), [
    ('{', [], 'cannot be read as JSON'),
    ('{"results": {"a": [], "a": []}}', [], "cannot be read as JSON: 'a' stands twice in one object"),
    ('[]', [], "is no results file: expected an object with 'results'"),
    ('{"results": {"a": []}}', [], '1 of 1 predicted samples are not in v1.0-mini'),
    ('{"results": {"a": 3}}', [], 'sample a has int; expected a list of at most 500 boxes'),
    ('{"results": {"a": [{"size": 1}]}}', [], "sample a, box 0 has no 'sample_token'"),
    ('{"results": {}}', ['--classes', 'tram'], "no class 'tram'; nuScenes has car"),
    ('{"results": {}}', ['--bands', 10, 5], 'two or more metres from 0 on that increase, got 10 5'),
])  # fmt: skip
def test_mistakes_are_said_in_words(
    content: str, words: list[Any], message: str, synthetic_root: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / 'results_nusc.json').write_text(content)
    done = run('score', synthetic_root, tmp_path, *words)
    assert done.code == 1
    assert message in done.error


def test_samples_without_predictions_and_of_other_data(
    synthetic_root: Path, synthetic_infos: Path, results: Path, run: Run
) -> None:
    train = synthetic_infos / 'nuscenes_infos_train.msgpack.gz'
    assert 'has no predictions for' in run('score', synthetic_root, results, '--ann-file', train).error
    assert "'nowhere': no predicted sample" in run('score', synthetic_root, results, '--scenes', 'nowhere').error


@pytest.mark.parametrize('edges', [[0.0], [], [-1.0, 5.0], [0.0, 0.0], [0.0, 20.0, 10.0], [float('nan'), 1.0]])
def test_bands_increase_from_nothing_on(edges: list[float]) -> None:
    with pytest.raises(ValueError, match=r'^--bands: expected two or more metres from 0 on that increase, got '):
        score.increasing(edges)
    assert score.increasing((0.0, 2.5)) == [0.0, 2.5]


def test_the_table_of_parts_has_their_means_alone() -> None:
    """Errors are called mATE and so on; what is not measured is a dash, and counts are whole."""
    row = dict(by='light', group='day', samples=3, objects=12, NDS=0.25, AP=0.5, recall=float('nan'), ATE=1.0)
    table = pd.DataFrame([row | {'class': 'mean'}, row | {'class': 'car'}])[
        ['by', 'group', 'class', 'samples', 'objects', 'NDS', 'AP', 'recall', 'ATE']
    ]
    head, line = score.group_table(table).splitlines()
    assert head.split() == ['by', 'group', 'samples', 'objects', 'NDS', 'mAP', 'recall', 'mATE']
    assert line.split() == ['light', 'day', '3', '12', '0.2500', '0.5000', '-', '1.0000']
