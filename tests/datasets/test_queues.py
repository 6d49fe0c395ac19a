from __future__ import annotations

import pytest

from bevdistill.datasets.queues import QUEUE_RULES, consecutive_queue, random_drop_queue, release_queue

FRAMES = [('a', 0), ('a', 1), ('a', 2), ('a', 3), ('b', 0), ('b', 1), ('b', 2)]


def key(index: int) -> tuple[str, int]:
    return FRAMES[index]


@pytest.mark.parametrize('rule', sorted(QUEUE_RULES))
@pytest.mark.parametrize('length', [1, 2, 4])
@pytest.mark.parametrize('index', range(len(FRAMES)))
def test_every_queue_is_ascending_and_ends_with_the_frame(rule: str, length: int, index: int) -> None:
    for _ in range(10):
        queue = QUEUE_RULES[rule](index, length, key)
        assert len(queue) == length
        assert queue[-1] == index
        assert queue == sorted(queue)
        assert min(queue) >= max(0, index - length)


def test_consecutive_leaves_out_none() -> None:
    assert consecutive_queue(6, 3, key) == [4, 5, 6]
    assert consecutive_queue(1, 4, key) == [0, 0, 0, 1]


def test_random_drop_leaves_out_each_candidate_at_times() -> None:
    seen = {tuple(random_drop_queue(6, 3, key)) for _ in range(100)}
    assert seen == {(4, 5, 6), (3, 5, 6), (3, 4, 6)}


def test_random_drop_clamps_at_the_first_frame() -> None:
    assert random_drop_queue(0, 4, key) == [0, 0, 0, 0]
    assert {tuple(random_drop_queue(1, 3, key)) for _ in range(100)} == {(0, 0, 1)}


def test_release_repeats_instead_of_leaving_the_scene() -> None:
    assert release_queue(4, 4, key) == [4, 4, 4, 4]
    assert {tuple(release_queue(5, 3, key)) for _ in range(100)} == {(4, 4, 5), (5, 5, 5)}
    assert release_queue(0, 4, key) == [0, 0, 0, 0]


def test_release_repeats_what_was_accepted_last() -> None:
    seen = {tuple(release_queue(2, 4, key)) for _ in range(200)}
    # Candidates -2, -1, 0, 1 less one; negatives are clamped to frame 0, which is accepted once.
    assert seen == {(0, 0, 1, 2), (0, 0, 0, 2)}
