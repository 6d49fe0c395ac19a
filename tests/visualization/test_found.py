import numpy as np
import pytest

from bevdistill.visualization.found import Found

from .helpers import box_set


def test_found_missed_and_false() -> None:
    truth = box_set([[0, 0, 0, 4, 2, 1, 0], [10, 0, 0, 4, 2, 1, 0], [0, 10, 0, 1, 1, 1, 0]], labels=[0, 0, 1])
    # Two at the first object, one too far from the second, one of another class at the third.
    rows = [[0, 1, 0, 4, 2, 1, 0], [0, 0.5, 0, 4, 2, 1, 0], [12.1, 0, 0, 4, 2, 1, 0], [0, 10, 0, 1, 1, 1, 0]]
    found = Found.of(truth, box_set(rows, labels=[0, 0, 0, 0], scores=[0.9, 0.5, 0.8, 0.7]))
    assert found.taken_by.tolist() == [0, -1, -1]
    assert found.missed.tolist() == [False, True, True]
    assert str(found) == '1 of 3 found, 3 false'


SIDES = [(0, 1, '0 of 0 found, 1 false'), (1, 0, '0 of 1 found, 0 false')]


@pytest.mark.parametrize(('objects', 'boxes', 'said'), SIDES)
def test_nothing_on_one_side(objects: int, boxes: int, said: str) -> None:
    row = [0.0, 0, 0, 4, 2, 1, 0]
    found = Found.of(box_set([row] * objects), box_set([row] * boxes, scores=[0.5] * boxes))
    assert str(found) == said
    assert found.missed.dtype == np.bool_
