"""The error split against boxes made by hand and a slow oracle, and as a command on the synthetic nuScenes."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

REPO = Path(__file__).resolve().parents[2]
if str(REPO) not in sys.path:
    sys.path.insert(0, str(REPO))

from tools.analysis_tools import error_split  # noqa: E402
from tools.analysis_tools.error_split_match import (  # noqa: E402
    BACKGROUND,
    CONFUSED,
    DUPLICATE,
    FOUND,
    MATCHED,
    MISSED,
    WRONG_CLASS,
    Cameras,
    Outcome,
    Sample,
    match,
)
from tools.analysis_tools.error_split_tables import common, numbers, parts, to_markdown  # noqa: E402

CAR, TRUCK = 0, 1
FRONT_AND_BACK = Cameras(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[1.0, 0.0], [-1.0, 0.0]]))


def sample(truth: list[tuple[float, float, int]], predicted: list[tuple[float, float, int, float]]) -> Sample:
    """Objects as x, y, class and predictions as x, y, class, score."""
    objects, boxes = np.array(truth, dtype=float).reshape(-1, 3), np.array(predicted, dtype=float).reshape(-1, 4)
    return Sample(
        objects[:, :2], objects[:, 2].astype(int), np.hypot(objects[:, 0], objects[:, 1]),
        boxes[:, :2], boxes[:, 2].astype(int), boxes[:, 3], FRONT_AND_BACK,
    )  # fmt: skip


def test_along_and_across_the_ray_by_hand() -> None:
    # Camera at (1, 0), object at (4, 4): the ray is (0.6, 0.8). Too far by 0.5, left by 0.2.
    ray, left = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    place = np.array([4.0, 4.0]) + 0.5 * ray + 0.2 * left
    found = match(sample([(4.0, 4.0, CAR)], [(*place, CAR, 0.9)]))
    assert (found.depth[0], found.lateral[0]) == pytest.approx((0.5, 0.2))
    # The camera at the back sees what lies behind: too far is away from the car there too.
    found = match(sample([(-11.0, 0.0, CAR)], [(-12.0, 0.5, CAR, 0.9)]))
    assert (found.depth[0], found.lateral[0]) == pytest.approx((1.0, -0.5))


def test_what_becomes_of_each_by_hand() -> None:
    truth = [(10.0, 0.0, CAR), (10.0, 20.0, CAR), (-10.0, 0.0, TRUCK), (-10.0, 20.0, CAR)]
    predicted = [
        (11.0, 0.0, CAR, 0.5),  # a second time: a better one is there
        (10.0, 1.0, CAR, 0.9),  # finds the first car
        (10.0, 22.0, TRUCK, 0.4),  # the second car, as a truck
        (-10.0, 3.0, TRUCK, 0.3),  # finds the truck
        (0.0, -20.0, CAR, 0.8),  # nothing is there
    ]
    found = match(sample(truth, predicted))
    assert list(found.kind) == [DUPLICATE, MATCHED, CONFUSED, MATCHED, BACKGROUND]
    assert list(found.status(0.2)) == [FOUND, WRONG_CLASS, FOUND, MISSED]
    assert list(found.status(0.35)) == [FOUND, WRONG_CLASS, MISSED, MISSED]
    assert list(found.status(0.45)) == [FOUND, MISSED, MISSED, MISSED]
    row = numbers(found, 0.2)
    assert (row['objects'], row['found'], row['wrong class'], row['missed']) == (4, 0.5, 0.25, 0.25)
    assert (row['predictions'], row['duplicates'], row['confused'], row['background']) == (5, 0.2, 0.2, 0.2)
    # Lateral 1 m at the first car; the truck 3 m across the ray of the rear camera.
    assert row['depth'] == pytest.approx(0.0) and row['lateral'] == pytest.approx(2.0)
    assert numbers(found, 0.85)['predictions'] == 1


def test_the_nearest_free_object_and_the_radius() -> None:
    truth = [(10.0, 0.0, CAR), (10.0, 3.0, CAR)]
    found = match(sample(truth, [(10.0, 1.0, CAR, 0.9), (10.0, 0.0, CAR, 0.8)]))
    # The better one takes the first car, to which it is nearer; the other is left with the second.
    assert list(found.kind) == [MATCHED, MATCHED]
    assert found.found_score == pytest.approx([0.9, 0.8])
    assert list(match(sample(truth[:1], [(10.0, 4.0, CAR, 0.9)])).kind) == [BACKGROUND], '4 m is too far'
    assert list(match(sample(truth[:1], [(10.0, 3.99, CAR, 0.9)])).kind) == [MATCHED]


def test_one_that_finds_its_own_object_is_not_a_wrong_class_of_another() -> None:
    found = match(sample([(10.0, 0.0, CAR), (10.0, 1.0, TRUCK)], [(10.0, 1.0, TRUCK, 0.9)]))
    assert list(found.status(0.1)) == [MISSED, FOUND]


def test_empty_sides() -> None:
    nothing, only_objects, only_boxes = (
        match(sample([], [])), match(sample([(5.0, 0.0, CAR)], [])), match(sample([], [(5.0, 0.0, CAR, 0.5)]))
    )  # fmt: skip
    joined = Outcome.joined([nothing, only_objects, only_boxes])
    assert list(joined.status(0.1)) == [MISSED] and list(joined.kind) == [BACKGROUND]
    row = numbers(joined, 0.1)
    assert row['missed'] == 1 and math.isnan(row['depth'])
    assert math.isnan(numbers(nothing, 0.1)['found'])


def oracle(drawn: Sample, threshold: float) -> list[int]:
    """Matching anew among the predictions above a threshold, in loops."""
    kept = [p for p in range(len(drawn.score)) if drawn.score[p] >= threshold]
    taken: dict[int, int] = {}
    for p in sorted(kept, key=lambda p: -drawn.score[p]):
        best, nearest = None, 4.0
        for n in range(len(drawn.truth)):
            apart = math.dist(drawn.truth[n], drawn.predicted[p])
            if n not in taken and drawn.truth_label[n] == drawn.predicted_label[p] and apart < nearest:
                best, nearest = n, apart
        if best is not None:
            taken[best] = p
    status = []
    for n in range(len(drawn.truth)):
        wrong = any(
            p not in taken.values() and drawn.truth_label[n] != drawn.predicted_label[p]
            and math.dist(drawn.truth[n], drawn.predicted[p]) < 4.0
            for p in kept
        )  # fmt: skip
        status.append(FOUND if n in taken else WRONG_CLASS if wrong else MISSED)
    return status


@pytest.mark.parametrize('seed', range(4))
def test_every_threshold_is_as_if_matched_anew(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = [(*random.uniform(-12, 12, 2), int(random.integers(3))) for _ in range(25)]
    predicted = [(*random.uniform(-12, 12, 2), int(random.integers(3)), random.random()) for _ in range(40)]
    drawn = sample(truth, predicted)
    found = match(drawn)
    for threshold in (0.0, 0.3, 0.6, 0.9):
        assert list(found.status(threshold)) == oracle(drawn, threshold)


def test_common_objects_and_table() -> None:
    truth = [(10.0, 0.0, CAR), (20.0, 0.0, CAR)]
    before = match(sample(truth, [(12.0, 0.0, CAR, 0.9), (23.0, 0.0, CAR, 0.1)]))
    after = match(sample(truth, [(11.0, 0.0, CAR, 0.9), (21.0, 0.0, CAR, 0.9)]))
    assert list(common([before, after], 0.2)) == [True, False]
    lines = parts(dict(before=before, after=after), ['car', 'truck'], 0.2, [0.0, 15.0, 30.0])
    assert [line[:2] for line in lines[2:6]] == [
        ('found by all', 'before'), ('found by all', 'after'), ('0 to 15 m', 'before'), ('0 to 15 m', 'after')
    ]  # fmt: skip
    assert [line[2]['depth'] for line in lines[2:4]] == pytest.approx([2.0, 1.0])
    assert 'truck' not in {line[0] for line in lines}, 'there are none'
    assert '| all | before | 2 | 50.0 % | 0.0 % | 50.0 % | 2.00 m | 0.00 m | +2.00 m | 1 |' in to_markdown(lines, 0.2)


@pytest.mark.parametrize(('words', 'names'), [
    (['a=x/y.json', 'x/b/predictions', 'runs/c/predictions/pred_instances_3d/results_nusc.json'], ['a', 'b', 'c']),
    (['results_nusc.json'], ['results_nusc']),
])  # fmt: skip
def test_names_of_results(words: list[str], names: list[str]) -> None:
    assert list(error_split.named(words)) == names
    with pytest.raises(ValueError, match='two results are called'):
        error_split.named([*words, words[0]])


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
    error_split.main(words)
    assert '| all | exact |' in capsys.readouterr().out
    with (tmp_path / 'split.csv').open() as file:
        rows = {(row['threshold'], row['objects_of'], row['results']): row for row in csv.DictReader(file)}
    exact_row, far_row = (rows['0.2', 'all', name] for name in ('exact', 'far'))
    assert float(exact_row['found']) == 1.0 and float(exact_row['depth']) == pytest.approx(0.0, abs=1e-6)
    # Moved by 1 m away from the car: nearly all along the rays of cameras that stand within 2 m of its middle.
    assert float(far_row['depth_bias']) > 0.9 and float(far_row['lateral']) < 0.3
    assert (tmp_path / 'split.png').stat().st_size > 20000
    with pytest.raises(SystemExit, match=r'no results_nusc\.json in'):
        error_split.main([str(synthetic_root), str(tmp_path / 'nowhere')])
