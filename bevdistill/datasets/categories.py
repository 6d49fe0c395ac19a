"""Map the categories of an information file to the classes that are trained, and count the boxes that this loses."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean ...?)`` for a name, or nothing where no known one is near."""
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f" (did you mean '{lower[near[0]]}'?)" if near else ''


class CategoryMap:
    """Classes in label order, and the class of each category.

    A category is mapped as `categories` says; one that it does not name has the class of its own name, if there is one.

    Args:
        classes: Class names in label order.
        categories: From category to class; None drops the category.

    Raises:
        ValueError: If a class occurs twice, or a category is mapped to an unknown one.
    """

    def __init__(self, classes: Sequence[str], categories: Mapping[str, str | None] | None = None) -> None:
        self.classes = list(classes)
        self.categories = dict(categories or {})
        twice = [name for name, count in Counter(self.classes).items() if count > 1]
        if twice:
            raise ValueError(f"metainfo.classes names '{twice[0]}' twice")
        for category, name in self.categories.items():
            if name is not None and name not in self.classes:
                raise ValueError(
                    f"categories maps '{category}' to '{name}', which is no class{nearest(name, self.classes)}. "
                    f'Classes are {", ".join(self.classes)}'
                )
        self._labels = {name: label for label, name in enumerate(self.classes)}

    def label(self, category: str) -> int:
        """Return the label of a category, -1 where it is not trained."""
        name = self.categories.get(category, category)
        return -1 if name is None else self._labels.get(name, -1)

    def labels(self, file_categories: Mapping[str, int]) -> dict[int, int]:
        """Return the labels of the category indices of an information file; -1 stays -1."""
        labels = {index: self.label(name) for name, index in file_categories.items() if index >= 0}
        return {**labels, -1: -1}

    def unknown(self, file_categories: Iterable[str]) -> tuple[str, bool]:
        """Tell which classes and mapped categories an information file does not know.

        Args:
            file_categories: All categories of the file.

        Returns:
            What is unknown, '' if nothing is; and whether that is a mistake: a name is near a known one, or no class
            has a category. A small file may just lack a class.
        """
        known = sorted(file_categories)
        reached = {self.label(category) for category in known}
        lost = [name for label, name in enumerate(self.classes) if label not in reached]
        mapped = [name for name in self.categories if name not in known]
        mistake = any(nearest(name, known) for name in lost + mapped) or reached <= {-1}
        told = [f"class '{name}' has no category{nearest(name, known)}" for name in lost[:3]]
        told += [f"category '{name}' of the mapping does not exist{nearest(name, known)}" for name in mapped[:3]]
        more = len(lost) + len(mapped) - len(told)
        text = '; '.join(told) + (f'; and {more} more' if more else '')
        return (f'{text}. Categories of the file: {", ".join(known)}' if told else ''), mistake


class BoxCount:
    """Count the boxes of an information file and what each rule takes from them.

    Args:
        limits: ``x_min, y_min, z_min, x_max, y_max, z_max`` of the pipeline's range filter, metres, or None without.
    """

    def __init__(self, limits: Sequence[float] | None) -> None:
        self.limits = limits
        self.total = self.known = self.valid = self.kept = 0

    def add(self, labels: NDArray[np.int64], valid: NDArray[np.bool_], centres: NDArray[Any]) -> None:
        """Count the boxes of one sample.

        Args:
            labels: (M,), -1 for boxes of no class.
            valid: (M,), whether the box passes the flag that the data set looks at.
            centres: (M, >= 2), metres.
        """
        kept = valid & (labels >= 0)
        self.total += len(labels)
        self.known += int((labels >= 0).sum())
        self.valid += int(kept.sum())
        if self.limits is not None:
            x_min, y_min, _, x_max, y_max, _ = self.limits
            x, y = centres[:, 0], centres[:, 1]
            kept = kept & (x > x_min) & (x < x_max) & (y > y_min) & (y < y_max)
        self.kept += int(kept.sum())

    def losses(self) -> str:
        """Tell how many boxes were lost to what."""
        return (
            f'of {self.total} boxes {self.total - self.known} are of other categories, {self.known - self.valid} have '
            f'no LiDAR or radar point in them (the valid flag), {self.valid - self.kept} lie out of range'
        )


def range_of_boxes(stages: Iterable[Any]) -> list[float] | None:
    """Return the limits of the range filter of boxes among built transforms, or None where there is none."""
    for stage in stages:
        if type(stage).__name__ == 'ObjectRangeFilter':
            return [float(limit) for limit in stage.pcd_range]
    return None
