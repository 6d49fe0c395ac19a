"""Which classes are taken for which, by hand and against loops."""

from __future__ import annotations

import numpy as np
import pytest
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.detection.data_classes import DetectionBox

from bevdistill.evaluation.matching import confusion_matrix, match_boxes, match_in_class, take_nearest


def box(x: float, name: str, score: float = -1.0) -> DetectionBox:
    height = 9.0 * (score > 0)  # Of predictions alone: it does not count.
    return DetectionBox(sample_token='a', translation=(x, 0.0, height), detection_name=name, detection_score=score)


def test_take_nearest_against_loops() -> None:
    random = np.random.default_rng(0)
    apart, allowed, score = random.random((5, 9)), random.random((5, 9)) < 0.4, random.random(9)
    expected = [-1] * 5
    for place in sorted(range(9), key=lambda p: -score[p]):
        free = [n for n in range(5) if allowed[n, place] and expected[n] < 0]
        if free:
            expected[min(free, key=lambda n: apart[n, place])] = place
    assert take_nearest(apart, allowed, score).tolist() == expected
    assert take_nearest(np.zeros((0, 3)), np.zeros((0, 3), dtype=bool), np.ones(3)).tolist() == []



def test_an_object_of_the_first_prediction_is_taken() -> None:
    apart, everything = np.array([[0.0, 0.1]]), np.ones((1, 2), dtype=bool)
    assert take_nearest(apart, everything, np.array([0.9, 0.8])).tolist() == [0]
    assert take_nearest(apart, everything, np.array([0.8, 0.9])).tolist() == [1]


def test_match_in_class_by_hand() -> None:
    """Closer than 2 m on the ground, and of one class."""
    truth, predicted = np.array([[10.0, -5.0], [0.0, 3.0]]), np.array([[11.0, -5.0], [0.0, 5.0], [10.5, -5.0]])
    labels = np.array([0, 1]), np.array([0, 1, 2])
    assert match_in_class((truth, predicted), labels, np.array([0.5, 0.9, 0.9])).tolist() == [0, -1]


def test_matching_is_within_classes_unless_asked() -> None:
    truth, predicted = [box(0, 'car'), box(5, 'bus')], [box(90, 'car', 0.9), box(5, 'truck', 0.8), box(1, 'car', 0.3)]
    assert match_boxes(truth, predicted, 2.0).tolist() == [2, -1]
    assert match_boxes(truth, predicted, 2.0, across=True).tolist() == [2, 1]
    beside = [box(0, 'car', 0.9), box(0.4, 'truck', 0.8)]  # The truck is nearer to the car, which is taken.
    assert match_boxes([box(0, 'car'), box(1, 'bus')], beside, 2.0, across=True).tolist() == [0, 1]
    assert match_boxes(truth, [], 2.0).tolist() == [-1, -1]
    assert match_boxes([], predicted, 2.0).tolist() == []
    assert match_boxes(truth, predicted[2:], 1.0).tolist() == [-1, -1], 'as far as the limit is too far'


@pytest.mark.parametrize('seed', range(4))
def test_what_is_left_over_is_matched_across_classes_as_in_loops(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = [box(x, name) for x, name in zip(random.uniform(0, 20, 6), random.choice(['car', 'bus'], 6), strict=True)]
    names, scores = random.choice(['car', 'bus'], 9), random.uniform(0.1, 1, 9).tolist()
    predicted = [box(x, n, s) for x, n, s in zip(random.uniform(0, 20, 9), names, scores, strict=True)]
    expected = [-1] * 6
    for across in (False, True):
        for place in sorted(range(9), key=lambda p: -scores[p]):
            apart = [abs(one.translation[0] - predicted[place].translation[0]) for one in truth]
            free = [
                n for n in range(6) if expected[n] < 0 and place not in expected and apart[n] < 3
                and (across or truth[n].detection_name == names[place])
            ]  # fmt: skip
            if free:
                expected[min(free, key=lambda n: apart[n])] = place
        assert match_boxes(truth, predicted, 3.0, across).tolist() == expected


@pytest.mark.parametrize('threshold', [0.2, 0.3, 0.5])
def test_confusion_by_hand(threshold: float) -> None:
    """A car found, a bus seen as a truck, a bus missed, a car where nothing is; a class that does not count."""
    truth, predicted = EvalBoxes(), EvalBoxes()
    truth.add_boxes('a', [box(0, 'car'), box(5, 'bus'), box(20, 'bus'), box(40, 'barrier')])
    predicted.add_boxes('a', [box(1, 'car', 0.3), box(5, 'truck', 0.8), box(60, 'car', 0.6), box(40, 'barrier', 0.9)])
    truth.add_boxes('b', [])
    predicted.add_boxes('b', [])
    found = 1 if threshold <= 0.3 else 0
    expected = [[found, 0, 0, 1 - found], [0, 0, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]]
    assert confusion_matrix(truth, predicted, ['car', 'truck', 'bus'], threshold).tolist() == expected
