"""Pictures of samples: cameras and the scene from above as small images, boxes over them as vectors, a layer a run."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...datasets.contents import as_points
from ...evaluation.matching import match_in_class
from ...for_people import counted
from ...visualization.palette import PANEL_COLOUR, POINT_COLOUR, TRUTH_COLOUR, class_colours, score_alpha
from ...visualization.projection import inside_image, project_segments
from ...visualization.wires import box_corners, footprints, heading_marks, wireframes
from .samples import Boxes, Samples

Floats = NDArray[np.float64]
ORDER = ('CAM_FRONT_LEFT', 'CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_BACK_LEFT', 'CAM_BACK', 'CAM_BACK_RIGHT')
"""Of nuScenes' cameras on the page; others come behind them, as the file has them."""
CAMERA_WIDTH, MAP_WIDTH = 480, 600
"""Pixels of the images, and units of what is drawn over them."""
QUALITY = 78
POINTS_MOST = 2_000_000
Drawn = tuple[Boxes, float | None]
"""Boxes, and the score at which they are faintest, or None for what is there."""


@dataclass(frozen=True)
class Shape:
    """A box as paths of an SVG, with its colours and what is said about it."""

    path: str
    stroke: str
    opacity: float
    fill: str
    words: str
    place: tuple[float, float]


@dataclass(frozen=True)
class View:
    """A camera, or the scene from above: the image, its size, and the shapes of each layer."""

    name: str
    image: str
    width: int
    height: int
    layers: list[list[Shape]]


@dataclass(frozen=True)
class Layer:
    """What is drawn together: a name, and how many objects were found."""

    name: str
    words: str


@dataclass(frozen=True)
class Picture:
    """A sample: ground truth and runs over the same images."""

    token: str
    layers: list[Layer]
    views: list[View]
    missing: list[str]


def draw_picture(
    token: str, truth: Boxes, runs: Mapping[str, Boxes], samples: Samples, reach: float, threshold: float
) -> Picture:
    """Draw a sample.

    Args:
        token: The sample.
        truth: Its objects.
        runs: What each run predicts in it, by its title.
        samples: Where the images are.
        reach: Metres from the car to the edges of the view from above.
        threshold: Score at which boxes are faintest.
    """
    layers = [Layer('ground truth', counted(len(truth), 'object'))]
    layers += [Layer(title, _found(truth, boxes)) for title, boxes in runs.items()]
    sets: list[Drawn] = [(truth, None), *((boxes, threshold) for boxes in runs.values())]
    missing: list[str] = []
    views = [_from_above(sets, samples.infos[token], samples, reach, missing)]
    views += _cameras(sets, samples.infos[token], samples, missing)
    return Picture(token, layers, views, missing)


def _found(truth: Boxes, boxes: Boxes) -> str:
    centres = truth.centres[:, :2], boxes.centres[:, :2]
    found = int((match_in_class(centres, (truth.labels, boxes.labels), boxes.scores) >= 0).sum())
    return f'{found} of {counted(len(truth), "object")} found, {len(boxes) - found} false'


def _from_above(
    sets: Sequence[Drawn], info: Mapping[str, Any], samples: Samples, reach: float, missing: list[str]
) -> View:
    scale = MAP_WIDTH / (2 * reach)

    def to_map(points: Floats) -> Floats:
        return np.stack(((points[..., 0] + reach) * scale, (reach - points[..., 1]) * scale), axis=-1)

    pixels: Floats = np.full((MAP_WIDTH, MAP_WIDTH, 3), PANEL_COLOUR)
    points = _points(info, samples, missing)
    place = to_map(points[:, :2].astype(np.float64)).astype(np.int64)
    inside = ((place >= 0) & (place < MAP_WIDTH)).all(axis=1)
    brightness = np.clip((points[inside, 2:3] + 3.5) / 4.5, 0.35, 1.0)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows, columns = (np.minimum(place[inside] + (right, down), MAP_WIDTH - 1)[:, axis] for axis in (1, 0))
        pixels[rows, columns] = np.asarray(POINT_COLOUR) * brightness
    layers = []
    for boxes, threshold in sets:
        near = np.flatnonzero((np.abs(boxes.centres[:, :2]) < reach).all(axis=1))
        boxes = boxes.select(near)
        corners = box_corners(boxes.centres, boxes.sizes, boxes.yaws)
        ends = zip(to_map(footprints(corners)), to_map(heading_marks(corners)[..., :2]), strict=True)
        lines = [f'{_path(outline, closed=True)}{_path(mark)}' for outline, mark in ends]
        layers.append(_shapes((boxes, threshold), lines, to_map(boxes.centres[:, :2]), samples.classes.classes))
    return View('from above', _jpeg(Image.fromarray((255 * pixels).astype(np.uint8))), MAP_WIDTH, MAP_WIDTH, layers)


def _points(info: Mapping[str, Any], samples: Samples, missing: list[str]) -> NDArray[np.float32]:
    lidar = info['lidar_points']
    if not lidar.get('lidar_path'):
        return np.zeros((0, 3), dtype=np.float32)
    try:
        content = samples.path('pts', lidar['lidar_path']).read_bytes()
        return as_points(content, int(lidar.get('num_pts_feats') or 5))[:POINTS_MOST]
    except (OSError, ValueError) as error:
        missing.append(f'LiDAR points: {_reason(error)}')
        return np.zeros((0, 3), dtype=np.float32)


def _cameras(
    sets: Sequence[Drawn], info: Mapping[str, Any], samples: Samples, missing: list[str]
) -> list[View]:
    known = info.get('images') or {}
    views = []
    for name in sorted(known, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
        camera = known[name]
        try:
            with Image.open(samples.path(name, camera['img_path'])) as opened:
                size = opened.size
                height = max(1, round(CAMERA_WIDTH * size[1] / size[0]))
                opened.draft('RGB', (CAMERA_WIDTH, height))
                image = opened.convert('RGB').resize((CAMERA_WIDTH, height), Image.Resampling.BILINEAR)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            missing.append(f'{name}: {_reason(error)}')
            continue
        intrinsics = np.eye(4)
        intrinsics[:3, :3] = np.asarray(camera['cam2img'], dtype=np.float64)[:3, :3]
        scale = np.diag([CAMERA_WIDTH / size[0], height / size[1], 1.0, 1.0])
        lidar2img = scale @ intrinsics @ np.asarray(camera['lidar2cam'], dtype=np.float64)
        layers = [_in_camera(drawn, lidar2img, height, samples.classes.classes) for drawn in sets]
        short = name.removeprefix('CAM_').replace('_', ' ').lower()
        views.append(View(short, _jpeg(image), CAMERA_WIDTH, height, layers))
    return views


def _reason(error: Exception) -> str:
    words = f'{error.strerror}: {error.filename}' if isinstance(error, OSError) and error.strerror else str(error)
    return ' '.join(words.split())


def _in_camera(drawn: Drawn, lidar2img: Floats, height: int, classes: Sequence[str]) -> list[Shape]:
    boxes, threshold = drawn
    corners = box_corners(boxes.centres, boxes.sizes, boxes.yaws)
    pixels, visible = project_segments(wireframes(corners), lidar2img)
    shown = visible & inside_image(pixels, CAMERA_WIDTH, height)
    some = np.flatnonzero(shown.any(axis=1))
    lines = [''.join(map(_path, pixels[place][shown[place]])) for place in some]
    ends = [pixels[place][shown[place]].reshape(-1, 2) for place in some]
    tops = np.array([[each[:, 0].mean(), each[:, 1].min()] for each in ends]).reshape(-1, 2)
    return _shapes((boxes.select(some), threshold), lines, tops.clip((0, 10), (CAMERA_WIDTH, height)), classes)


def _shapes(drawn: Drawn, lines: Sequence[str], places: Floats, classes: Sequence[str]) -> list[Shape]:
    boxes, threshold = drawn
    colours = [hex_colour(colour) for colour in class_colours(classes)]
    shapes = []
    boxed = zip(lines, boxes.labels.tolist(), boxes.scores.tolist(), places.round(1).tolist(), strict=True)
    for line, label, score, (x, y) in boxed:
        name, colour = classes[label].replace('_', ' '), colours[label]
        if threshold is None:
            shapes.append(Shape(line, hex_colour(TRUTH_COLOUR), 1.0, colour, name, (x, y)))
        else:
            alpha = round(score_alpha(score, threshold), 2)
            shapes.append(Shape(line, colour, alpha, colour, f'{name} {score:.2f}', (x, y)))
    return shapes


def _path(points: Floats, closed: bool = False) -> str:
    text = 'L'.join(f'{x:.1f} {y:.1f}' for x, y in points.tolist())
    return f'M{text}{"Z" if closed else ""}'


def hex_colour(colour: Sequence[float]) -> str:
    """Return ``#rrggbb`` of a colour in [0, 1]."""
    return '#' + ''.join(f'{round(255 * part):02x}' for part in colour)


def _jpeg(image: Image.Image) -> str:
    """Return an image as a data address."""
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=QUALITY, optimize=True)
    return 'data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode()


def reach_of(config: Mapping[str, Any], samples: Samples) -> float:
    """Return the metres from the car that a view from above covers: the range of the model's grid, or of the metric."""
    limits = _first(config.get('model'), 'point_cloud_range') or config.get('point_cloud_range')
    if isinstance(limits, list | tuple) and len(limits) == 6:
        return max(abs(float(limits[place])) for place in (0, 1, 3, 4))
    farthest = float(samples.limits.max(initial=0.0))
    return farthest if 0 < farthest < np.inf else 50.0


def _first(tree: Any, key: str) -> Any:
    """Find the first entry of a name in nested dicts."""
    if not isinstance(tree, Mapping):
        return None
    if key in tree:
        return tree[key]
    return next((found for value in tree.values() if (found := _first(value, key)) is not None), None)
