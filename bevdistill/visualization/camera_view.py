"""Draw boxes into camera images as wireframes with a heading mark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from .boxes import BoxSet
from .figures import LABEL_SIZE, write_beside
from .palette import TRUTH_COLOUR, Colour, score_alpha
from .projection import inside_image, project_segments
from .wires import EDGES_PER_BOX, wireframes

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

MONTAGE = (('CAM_FRONT_LEFT', 'CAM_FRONT', 'CAM_FRONT_RIGHT'), ('CAM_BACK_LEFT', 'CAM_BACK', 'CAM_BACK_RIGHT'))
"""Layout of nuScenes' six cameras in a montage."""

LOW_WIDTH = 500
"""Pixels; an image of fewer is drawn larger than it is."""


def _segment_colours(boxes: BoxSet, colours: Sequence[Colour], threshold: float) -> list[tuple[float, ...]]:
    """Choose RGBA for each box: white for ground truth, class colour with score-dependent opacity for predictions."""
    if boxes.scores is None:
        return [(*TRUTH_COLOUR, 0.9)] * len(boxes)
    scored = zip(boxes.labels, boxes.scores, strict=True)
    return [(*colours[int(label)], score_alpha(float(score), threshold)) for label, score in scored]


def draw_boxes_in_image(
    axes: Axes,
    size: tuple[int, int],
    boxes: BoxSet,
    lidar2img: Array,
    colours: Sequence[Colour],
    threshold: float = 0.0,
    names: Sequence[str] = (),
) -> LineCollection:
    """Add the wireframes of boxes to the axes of an image.

    Args:
        axes: Axes in pixels of the image.
        size: (width, height) of the image.
        boxes: Ground truth (drawn white and thin) or predictions (class colour).
        lidar2img: (4, 4), LiDAR frame to pixels.
        colours: One RGB colour per class.
        threshold: The score at which the opacity starts.
        names: Names of the classes to write, with the score, above each box; empty to write nothing.

    Returns:
        The lines, possibly none, in the order of the boxes.
    """
    lines = wireframes(boxes.corners())
    pixels, visible = project_segments(lines, lidar2img)
    shown = visible & inside_image(pixels, *size)
    rgba = np.asarray(_segment_colours(boxes, colours, threshold), dtype=float).reshape(-1, 4)
    owners = np.broadcast_to(np.arange(len(boxes))[:, None], shown.shape)[shown]
    is_heading = np.broadcast_to(np.arange(EDGES_PER_BOX) == EDGES_PER_BOX - 1, shown.shape)[shown]
    base = 0.9 if boxes.scores is None else 1.5
    widths = np.where(is_heading, base + 0.8, base)
    collection = LineCollection(list(pixels[shown]), colors=rgba[owners], linewidths=widths, capstyle='round')
    outline = [patheffects.Stroke(linewidth=base + 1.2, foreground='black', alpha=0.35), patheffects.Normal()]
    collection.set_path_effects(outline)
    axes.add_collection(collection, autolim=False)
    captions = zip(pixels, shown, boxes.labels, boxes.captions(names), strict=False)
    for ends, seen, label, text in reversed(list(captions)):  # The best, drawn last, finds a place first.
        if seen.any():
            x, y = ends[seen].reshape(-1, 2).min(axis=0)
            write_beside(axes, max(x, 0.0), max(y, 0.16 * size[1]), text, colours[label])
    return collection


def draw_camera(
    axes: Axes,
    image: Image,
    name: str,
    lidar2img: Array,
    truth: BoxSet | None,
    predictions: BoxSet | None,
    colours: Sequence[Colour],
    threshold: float = 0.0,
    names: Sequence[str] = (),
) -> None:
    """Draw one camera: the image (height, width, 3) in RGB, ground truth, predictions and the camera's name.

    Images of fewer than :data:`LOW_WIDTH` pixels are captioned with their size.
    """
    height, width = image.shape[:2]
    axes.imshow(image, interpolation='bilinear')
    for boxes in (truth, predictions):
        if boxes is not None and len(boxes):
            named = () if boxes is truth else names
            draw_boxes_in_image(axes, (width, height), boxes, lidar2img, colours, threshold, named)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_axis_off()
    label = name.removeprefix('CAM_').replace('_', ' ').lower()
    label += f', {width} x {height} pixels' if width < LOW_WIDTH else ''
    axes.text(
        0.012, 0.965, label, transform=axes.transAxes, fontsize=LABEL_SIZE, color='white', va='top',
        bbox=dict(facecolor='black', alpha=0.55, linewidth=0, boxstyle='round,pad=0.25'),
    )  # fmt: skip


def camera_rows(names: Sequence[str]) -> Sequence[Sequence[str]]:
    """Lay out cameras in rows: nuScenes' six as :data:`MONTAGE`, others in their own order, three or four in a row.

    Four where that leaves fewer places empty.
    """
    if set(names) == {name for row in MONTAGE for name in row}:
        return MONTAGE
    columns = min((3, 4), key=lambda count: -len(names) % count)
    return [names[start : start + columns] for start in range(0, len(names), columns)]


def draw_cameras(
    figure: Figure | SubFigure,
    images: dict[str, Image],
    lidar2img: dict[str, Array],
    truth: BoxSet | None,
    predictions: BoxSet | None,
    colours: Sequence[Colour],
    threshold: float = 0.0,
    names: Sequence[str] = (),
) -> list[Axes]:
    """Fill a figure with the montage of all cameras that are there.

    Args:
        figure: A figure or sub-figure, filled to its borders.
        images: RGB image (height, width, 3) per camera name, laid out by :func:`camera_rows`.
        lidar2img: (4, 4) per camera name.
        truth: Ground truth, or None.
        predictions: Predictions, or None.
        colours: One RGB colour per class.
        threshold: Score at which the opacity starts.
        names: Names of the classes to write, with the score, at each prediction; empty to write nothing.

    Returns:
        The axes, row by row.
    """
    layout = camera_rows(list(images))
    grid = figure.add_gridspec(len(layout), len(layout[0]), left=0, right=1, bottom=0, top=1, wspace=0.012, hspace=0.03)
    drawn = []
    for row, row_names in enumerate(layout):
        for column, name in enumerate(row_names):
            axes = figure.add_subplot(grid[row, column])
            draw_camera(axes, images[name], name, lidar2img[name], truth, predictions, colours, threshold, names)
            drawn.append(axes)
    return drawn
