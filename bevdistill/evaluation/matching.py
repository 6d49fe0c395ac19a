"""Match predictions to objects as the nuScenes metric does, and count which classes are taken for which.

Legend: N objects, P predictions of a sample, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nuscenes.eval.common.data_classes import EvalBoxes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDEST = 4.0
"""Metres within which a prediction is about an object: the widest threshold of the nuScenes metric."""
CONFUSION_DISTANCE = 2.0
"""Metres; the distance at which the devkit matches boxes whose errors it reports."""


def take_nearest(apart: Floats, allowed: NDArray[np.bool_], score: Floats) -> Ints:
    """Let each prediction, by falling score, take the nearest object that is allowed and not taken.

    Args:
        apart: Distances, (N, P).
        allowed: Pairs that may match, (N, P).
        score: Of the predictions, (P,).

    Returns:
        The prediction that took each object, -1 where there is none, (N,).
    """
    taken_by = np.full(len(apart), -1, dtype=np.int64)
    for place in np.argsort(-score, kind='stable'):
        free = allowed[:, place] & (taken_by < 0)
        if free.any():
            taken_by[int(np.where(free, apart[:, place], np.inf).argmin())] = place
    return taken_by


def match_in_class(centres: Sequence[Floats], labels: Sequence[NDArray[Any]], score: Floats) -> Ints:
    """Match boxes of one class whose centres are less than :data:`CONFUSION_DISTANCE` apart on the ground.

    Args:
        centres: Of the objects and of the predictions, metres, (N, 2) and (P, 2).
        labels: Their classes, (N,) and (P,).
        score: Of the predictions, (P,).

    Returns:
        The prediction that took each object, -1 where there is none, (N,).
    """
    apart = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=-1)
    return take_nearest(apart, (apart < CONFUSION_DISTANCE) & (labels[0][:, None] == labels[1][None]), score)


def match_boxes(truth: Sequence[Any], predicted: Sequence[Any], limit: float, across: bool = False) -> Ints:
    """Match boxes of a sample whose centres are closer on the ground than a limit.

    Args:
        truth: N boxes of the devkit.
        predicted: P boxes of the devkit.
        limit: Metres.
        across: Whether what is left over after matching within classes is matched across classes.

    Returns:
        The prediction that took each object, -1 where there is none, (N,).
    """
    taken_by = np.full(len(truth), -1, dtype=np.int64)
    if not truth or not predicted:
        return taken_by
    places = [np.array([box.translation[:2] for box in boxes], dtype=np.float64) for boxes in (truth, predicted)]
    names = [np.array([box.detection_name for box in boxes]) for boxes in (truth, predicted)]
    apart = np.linalg.norm(places[0][:, None] - places[1][None], axis=-1)
    near = apart < limit
    some = np.flatnonzero(near.any(axis=0))
    apart, near, same = apart[:, some], near[:, some], names[0][:, None] == names[1][None, some]
    score = np.array([predicted[place].detection_score for place in some], dtype=np.float64)
    taken = take_nearest(apart, near & same, score)
    if across:
        used = np.isin(np.arange(len(some)), taken)
        rest = take_nearest(apart, near & (taken < 0)[:, None] & ~used[None], score)
        taken = np.where(taken < 0, rest, taken)
    taken_by[taken >= 0] = some[taken[taken >= 0]]
    return taken_by


def confusion_matrix(truth: EvalBoxes, predicted: EvalBoxes, classes: Sequence[str], threshold: float) -> Ints:
    """Count objects by their class and the class that they are detected as, at :data:`CONFUSION_DISTANCE`.

    Objects are matched within their class first, as the metric does, then what is left over across classes.

    Args:
        truth: Ground truth.
        predicted: Predictions of the same samples.
        classes: K names; boxes of other classes do not count.
        threshold: Least score of a prediction that counts.

    Returns:
        (K + 1, K + 1): rows are true classes, the last one no object; columns are predicted classes, the last one not
        detected.
    """
    index = {name: position for position, name in enumerate(classes)}
    matrix = np.zeros((len(classes) + 1, len(classes) + 1), dtype=np.int64)
    for token in truth.sample_tokens:
        objects = [box for box in truth[token] if box.detection_name in index]
        found = [b for b in predicted[token] if b.detection_name in index and b.detection_score >= threshold]
        taken_by = match_boxes(objects, found, CONFUSION_DISTANCE, across=True)
        for box, place in zip(objects, taken_by, strict=True):
            matrix[index[box.detection_name], index[found[place].detection_name] if place >= 0 else -1] += 1
        for place in set(range(len(found))) - set(taken_by.tolist()):
            matrix[-1, index[found[place].detection_name]] += 1
    return matrix
