"""Count which objects of a sample are found, and which boxes are false."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.matching import match_in_class
from .boxes import BoxSet


@dataclass(frozen=True)
class Found:
    """Which prediction found each object.

    Args:
        taken_by: Index of the prediction, -1 for an object that is missed, (N,).
        predictions: Number of predictions.
    """

    taken_by: NDArray[np.int64]
    predictions: int

    @classmethod
    def of(cls, truth: BoxSet, predictions: BoxSet) -> Found:
        """Match boxes of one class whose centres are less than 2 m apart on the ground, the best-scored first."""
        places = [boxes.boxes.gravity_center[:, :2].double().numpy() for boxes in (truth, predictions)]
        scores = np.ones(len(predictions)) if predictions.scores is None else predictions.scores
        return cls(match_in_class(places, (truth.labels, predictions.labels), scores), len(predictions))

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Mask of the objects that no prediction found, (N,)."""
        return self.taken_by < 0

    def __str__(self) -> str:
        found = int((~self.missed).sum())
        return f'{found} of {len(self.taken_by)} found, {self.predictions - found} false'
