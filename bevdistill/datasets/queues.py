"""Choose the frames of a training sample's queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

FrameKey = Callable[[int], tuple[str, int]]
"""Index of a frame to (scene token, running index in its scene)."""


def _kept_candidates(index: int, length: int) -> list[int]:
    """List the `length` frames before `index` without a random one, ascending, clamped to the first frame."""
    candidates = list(range(index - length, index))
    candidates.pop(int(np.random.randint(length)))
    return [max(candidate, 0) for candidate in candidates]


def random_drop_queue(index: int, length: int, key: FrameKey) -> list[int]:
    """Queue of BEVFormer's code since September 2022: one random frame of the last `length` is left out.

    Frames may cross a scene border; the caller marks where history breaks.

    Args:
        index: The current frame.
        length: Frames in the queue, the current one included.
        key: Unused; all rules share one signature.

    Returns:
        `length` indices, ascending, the last is `index`.
    """
    del key
    return [*_kept_candidates(index, length), index]


def release_queue(index: int, length: int, key: FrameKey) -> list[int]:
    """Queue of the released weights (BEVDistill, and BEVFormer before September 2022).

    The kept candidates are walked from newest to oldest; one that is of another scene or not older than the last
    accepted frame is replaced by a repetition of that frame.

    Args:
        index: The current frame.
        length: Frames in the queue, the current one included.
        key: Gives scene and running index of a frame.

    Returns:
        `length` indices, ascending, the last is `index`.
    """
    queue = [index]
    scene, accepted = key(index)
    for candidate in reversed(_kept_candidates(index, length)):
        candidate_scene, frame = key(candidate)
        if candidate_scene == scene and frame < accepted:
            accepted = frame
            queue.insert(0, candidate)
        else:
            queue.insert(0, queue[0])
    return queue


def consecutive_queue(index: int, length: int, key: FrameKey) -> list[int]:
    """The frames right before the current one, as they follow each other in testing.

    Nothing in the network's input tells how much time lies between two frames. Here it is the same in all queues; the
    random rules vary it.

    Args:
        index: The current frame.
        length: Frames in the queue, the current one included.
        key: Unused; all rules share one signature.

    Returns:
        `length` indices, ascending, the last is `index`.
    """
    del key
    return [max(frame, 0) for frame in range(index - length + 1, index + 1)]


QUEUE_RULES: dict[str, Callable[[int, int, FrameKey], list[int]]] = {
    'consecutive': consecutive_queue,
    'random_drop': random_drop_queue,
    'release': release_queue,
}


def check_indices(wanted: int | Sequence[int] | None, samples: int, source: str) -> None:
    """Check which samples are wanted: all, the first so many (all where there are fewer), or a list of positions.

    Raises:
        ValueError: If there are no such samples, or none is wanted.
    """
    if wanted is None:
        return
    right = wanted != 0 if isinstance(wanted, int) else wanted and all(-samples <= i < samples for i in wanted)
    if not right:
        raise ValueError(
            f'{source}: expected indices from 0 to {samples - 1}, or a number of samples, found {wanted!r}'
        )
