"""Choose parts of ground truth and predictions: distance bands, levels of visibility, scenes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nuscenes.eval.common.data_classes import EvalBoxes

from .matching import WIDEST, match_boxes

KINDS = ('distance', 'visibility', 'light', 'weather')
VISIBILITY = {'1': '0 to 40 %', '2': '40 to 60 %', '3': '60 to 80 %', '4': '80 to 100 %'}
"""From nuScenes' level to the share of the object that the cameras see together."""


@dataclass(frozen=True)
class Group:
    """Some of the boxes.

    Args:
        kind: By what they were chosen.
        name: Which of that kind.
        truth: Ground truth.
        predicted: Predictions of the same samples.
    """

    kind: str
    name: str
    truth: EvalBoxes
    predicted: EvalBoxes


def select(boxes: EvalBoxes, keep: Callable[[Any], bool]) -> EvalBoxes:
    """Return the boxes that `keep` accepts, and all samples."""
    chosen = EvalBoxes()
    for token in boxes.sample_tokens:
        chosen.add_boxes(token, [box for box in boxes[token] if keep(box)])
    return chosen


def distance_bands(truth: EvalBoxes, predicted: EvalBoxes, edges: Sequence[float]) -> Iterator[Group]:
    """Yield the boxes between each two edges, metres from the ego car, the far one excluded.

    Note:
        As with the devkit's range, prediction and object are each judged by their own distance: a pair on both sides of
        an edge does not match.
    """
    for low, high in pairwise(edges):

        def inside(box: Any, low: float = low, high: float = high) -> bool:
            return bool(low <= box.ego_dist < high)

        yield Group('distance', f'{low:g} to {high:g} m', select(truth, inside), select(predicted, inside))


def visibility_levels(truth: EvalBoxes, predicted: EvalBoxes) -> Iterator[Group]:
    """Yield the objects of each level of visibility.

    Predictions have no level: those that match an object of another level (same class, within 4 m, best score first)
    are left out, and those that match none count at every level.
    """
    levels = {}
    for token in truth.sample_tokens:
        found = predicted[token]
        for box, place in zip(truth[token], match_boxes(truth[token], found, WIDEST), strict=True):
            if place >= 0:
                levels[id(found[place])] = box.visibility
    for level, name in VISIBILITY.items():

        def seen(box: Any, level: str = level) -> bool:
            return bool(box.visibility == level)

        def about(box: Any, level: str = level) -> bool:
            return levels.get(id(box), level) == level

        yield Group('visibility', name, select(truth, seen), select(predicted, about))


def of_samples(kind: str, name: str, truth: EvalBoxes, predicted: EvalBoxes, tokens: Collection[str]) -> Group:
    """Return the boxes of some samples."""
    parts = EvalBoxes(), EvalBoxes()
    for part, boxes in zip(parts, (truth, predicted), strict=True):
        for token in boxes.sample_tokens:
            if token in tokens:
                part.add_boxes(token, boxes[token])
    return Group(kind, name, *parts)


def scene_sets(kind: str, scenes: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Split samples by the description of their scene: by light into day and night, by weather into dry and rain.

    Args:
        kind: ``light`` or ``weather``.
        scenes: From the token of a sample to the record of its scene.
    """
    word, without = {'light': ('night', 'day'), 'weather': ('rain', 'dry')}[kind]
    found: dict[str, set[str]] = {without: set(), word: set()}
    for token, scene in scenes.items():
        found[word if re.search(rf'\b{word}', scene['description'], re.IGNORECASE) else without].add(token)
    return found


def named_scenes(words: Sequence[str], scenes: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Read lists of scenes ``NAME=scene-0001,scene-0002``; a list without a name is called by its scenes.

    Args:
        words: The lists.
        scenes: From the token of a sample to the record of its scene.

    Raises:
        ValueError: If a scene has no sample among those that are scored, or a name is there twice.
    """
    known = {scene['name'] for scene in scenes.values()}
    found: dict[str, set[str]] = {}
    for word in words:
        name, _, names = word.rpartition('=')
        wanted = {part.strip() for part in names.split(',') if part.strip()}
        unknown = sorted(wanted - known)
        if unknown or not wanted:
            raise ValueError(
                f"'{word}': no predicted sample is of the scene '{unknown[0] if unknown else names}'; scenes with "
                f'predictions: {", ".join(sorted(known)[:10])}' + (', ...' if len(known) > 10 else '')
            )
        if (name or names) in found:
            raise ValueError(f"two lists of scenes are called '{name or names}'; give names: NAME=SCENE,SCENE")
        found[name or names] = {token for token, scene in scenes.items() if scene['name'] in wanted}
    return found
