"""The matching of an error split against boxes made by hand and a slow oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bevdistill.evaluation.error_split.match import (
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
from bevdistill.evaluation.error_split.summary import numbers

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


def test_the_camera_is_the_one_that_looks_there() -> None:
    """Two cameras at one place, ahead and half left: an object at 30 degrees is nearer to the axis at 45."""
    turned = np.array([[1.0, 0.0], [0.5**0.5, 0.5**0.5]])
    cameras = Cameras(np.array([[0.0, 0.0], [0.0, 2.0]]), turned)
    ray = cameras.rays(np.array([[30.0, 20.0]]))[0]
    assert ray == pytest.approx(np.array([30.0, 18.0]) / math.hypot(30.0, 18.0))


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
    assert list(found.found_score) == [0.9, -1, 0.3, -1] and list(found.other_score) == [-1, 0.4, -1, -1]
    assert list(found.status(0.3)) == [FOUND, WRONG_CLASS, FOUND, MISSED], 'a score at the threshold is kept'
    assert list(found.status(0.4)) == [FOUND, WRONG_CLASS, MISSED, MISSED]
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
    assert list(only_objects.found_score) == list(only_objects.other_score) == [-1]
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
