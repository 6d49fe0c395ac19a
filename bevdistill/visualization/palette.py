"""Define the colours and strokes that all pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb

Colour = tuple[float, float, float]

TRUTH_COLOUR: Colour = (1.0, 1.0, 1.0)
"""Ground truth is white in every panel; predictions carry the colour of their class."""

PANEL_COLOUR: Colour = (0.07, 0.08, 0.11)
"""Background of the bird's-eye panels, dark so that points and boxes stand out."""

GRID_COLOUR: Colour = (0.42, 0.46, 0.54)
EGO_COLOUR: Colour = (0.30, 0.95, 0.55)
POINT_COLOUR: Colour = (0.62, 0.70, 0.82)

_CLASS_COLOURS: dict[str, str] = {
    'car': '#ff9f00',
    'truck': '#df4000',
    'trailer': '#bf9fff',
    'bus': '#ffff80',
    'construction_vehicle': '#bf9f60',
    'bicycle': '#60ffbf',
    'motorcycle': '#bf00ff',
    'pedestrian': '#bfdfff',
    'traffic_cone': '#008060',
    'barrier': '#80609f',
}
"""Apart from one another, from white and from the panel also for eyes that lack one kind of cones."""

_SHORT = {'construction_vehicle': 'constr.', 'motorcycle': 'motorc.', 'pedestrian': 'pedestr.', 'traffic_cone': 'cone'}
_SPARE_COLOURS = ('#e6b800', '#00c2d1', '#ff8fa3', '#8ac926', '#b28dff', '#f3722c')


def _to_rgb(code: str) -> Colour:
    red, green, blue = (int(code[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def class_colours(classes: Sequence[str]) -> list[Colour]:
    """Choose one RGB colour in ``[0, 1]`` per class; names outside nuScenes get spare colours in turn, then hues."""
    others = [name for name in classes if name not in _CLASS_COLOURS]
    spare = dict(zip(others, map(_spare_colour, range(len(others))), strict=True))
    return [spare[name] if name in spare else _to_rgb(_CLASS_COLOURS[name]) for name in classes]


def _spare_colour(number: int) -> Colour:
    """Colour of the class of that number; beyond the list by the golden ratio, which keeps hues apart."""
    if number < len(_SPARE_COLOURS):
        return _to_rgb(_SPARE_COLOURS[number])
    return hsv_to_rgb(0.618034 * number % 1, 0.45 + 0.4 * (number % 2), 1.0)


def short_names(classes: Sequence[str]) -> list[str]:
    """Return class names that fit beside a box."""
    return [_SHORT.get(name, name.replace('_', ' ')) for name in classes]


def score_alpha(score: float, threshold: float = 0.0) -> float:
    """Compute the opacity of a prediction: 0.35 at the threshold, 1 at a score of 1."""
    span = max(1.0 - threshold, 1e-6)
    return 0.35 + 0.65 * min(max((score - threshold) / span, 0.0), 1.0)
