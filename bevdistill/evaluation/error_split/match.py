"""Match predictions to objects: found, wrong class or missed, with errors along and across the camera's ray.

Legend: N objects, P predictions, K cameras of a sample; all positions on the ground, metres, one common frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..matching import take_nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RADIUS = 4.0
"""Metres within which a prediction is about an object: the widest threshold of the nuScenes metric."""
FOUND, WRONG_CLASS, MISSED = range(3)
MATCHED, DUPLICATE, CONFUSED, BACKGROUND = range(4)


@dataclass(frozen=True)
class Cameras:
    """Cameras of a sample: centres (K, 2) and viewing directions (K, 2) of length 1."""

    centres: Floats
    axes: Floats

    def rays(self, places: Floats) -> Floats:
        """Compute unit vectors to each place from the camera that sees it nearest to its axis, (N, 2)."""
        towards = places[:, None] - self.centres[None]
        towards = towards / np.maximum(np.linalg.norm(towards, axis=-1, keepdims=True), 1e-9)
        seen_by = np.einsum('nkd,kd->nk', towards, self.axes).argmax(axis=1)
        rays: Floats = towards[np.arange(len(places)), seen_by]
        return rays


@dataclass(frozen=True)
class Sample:
    """Objects and predictions of one keyframe.

    Args:
        truth: Centres of the objects, (N, 2).
        truth_label: Their classes, (N,).
        distance: Their distance from the car, (N,).
        predicted: Centres of the predictions, (P, 2).
        predicted_label: Their classes, (P,).
        score: Their scores, (P,).
        cameras: The cameras.
    """

    truth: Floats
    truth_label: Ints
    distance: Floats
    predicted: Floats
    predicted_label: Ints
    score: Floats
    cameras: Cameras


@dataclass(frozen=True)
class Outcome:
    """Fate of objects and predictions, valid for every score threshold.

    A threshold t keeps predictions of a score of at least t. Matching goes by falling score, so what is matched above t
    does not depend on what lies below it.

    Args:
        found_score: Score of the prediction that found each object; -1 where there is none, (N,).
        other_score: Best score of a prediction of another class near it that found nothing itself; -1 without, (N,).
        depth: Error of the finding prediction along the ray, positive: too far, metres; NaN without, (N,).
        lateral: Error across it, positive: to the left seen from the camera, (N,).
        label: Class of each object, (N,).
        distance: Distance of each object from the car, metres, (N,).
        kind: MATCHED, DUPLICATE, CONFUSED or BACKGROUND for each prediction, (P,).
        score: Score of each prediction, (P,).
    """

    found_score: Floats
    other_score: Floats
    depth: Floats
    lateral: Floats
    label: Ints
    distance: Floats
    kind: Ints
    score: Floats

    def status(self, threshold: float) -> Ints:
        """Classify each object as FOUND, WRONG_CLASS or MISSED, (N,)."""
        return np.where(
            self.found_score >= threshold, FOUND, np.where(self.other_score >= threshold, WRONG_CLASS, MISSED)
        ).astype(np.int64)

    @classmethod
    def joined(cls, parts: Sequence[Outcome]) -> Outcome:
        """Concatenate the outcomes of many samples."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def match(sample: Sample, radius: float = RADIUS) -> Outcome:
    """Match predictions to objects as the nuScenes metric does, and classify the rest.

    By falling score, a prediction takes the nearest object of its class within `radius` that is not taken. One that
    takes none is a duplicate if an object of its class is near, confused if one of another class is, else background.
    An object that is not found counts as seen in a wrong class if a prediction of another class that found nothing is
    near, else as missed.
    """
    apart = np.linalg.norm(sample.truth[:, None] - sample.predicted[None], axis=-1)
    near = apart < radius
    same = sample.truth_label[:, None] == sample.predicted_label[None]
    own = near & same
    taken_by = take_nearest(apart, own, sample.score)
    found = taken_by >= 0
    kind = np.where(own.any(axis=0), DUPLICATE, np.where(near.any(axis=0), CONFUSED, BACKGROUND))
    kind[taken_by[found]] = MATCHED
    others = near & ~same & (kind != MATCHED)[None]
    other_score = np.broadcast_to(sample.score, others.shape).max(axis=1, where=others, initial=-1.0)
    error = np.full((len(found), 2), np.nan)
    error[found] = sample.predicted[taken_by[found]] - sample.truth[found]
    found_score = np.full(len(found), -1.0)
    found_score[found] = sample.score[taken_by[found]]
    rays = sample.cameras.rays(sample.truth)
    return Outcome(
        found_score=found_score,
        other_score=other_score,
        depth=np.einsum('nd,nd->n', error, rays),
        lateral=rays[:, 0] * error[:, 1] - rays[:, 1] * error[:, 0],
        label=sample.truth_label,
        distance=sample.distance,
        kind=kind,
        score=sample.score,
    )
