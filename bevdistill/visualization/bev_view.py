"""Draw the scene from above: points, ground truth, predictions, ego and range rings; forward is up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch
from numpy.typing import NDArray

from ..structures import BEVGrid
from .boxes import BoxSet
from .figures import LABEL_SIZE, dark_panel, write_beside
from .palette import EGO_COLOUR, GRID_COLOUR, PANEL_COLOUR, POINT_COLOUR, TRUTH_COLOUR, Colour, score_alpha
from .wires import footprints, heading_marks

Array = NDArray[np.float64]
Points = NDArray[np.float32]


def map_extent(grid: BEVGrid) -> tuple[float, float, float, float]:
    """Return the extent of a BEV map in metres for matplotlib: (left, right, bottom, top) with ``origin='lower'``.

    The outer corners of the first and last cell are asked of the grid, so that a map and the boxes drawn over it
    cannot disagree on what a row or a column is.
    """
    corners = grid.to_metres(torch.tensor([[0.0, 0.0], [float(grid.cols), float(grid.rows)]], dtype=torch.float64))
    (left, bottom), (right, top) = corners.tolist()
    return left, right, bottom, top


def ring_radii(grid: BEVGrid) -> list[float]:
    """Choose the radii in metres of the range rings: at most five, a round distance apart."""
    left, right, bottom, top = map_extent(grid)
    reach = max(abs(left), abs(right), abs(bottom), abs(top))
    step = next((step for step in (1, 2, 5, 10, 20, 50) if reach / step <= 5.5), 100)
    return [float(radius) for radius in range(step, int(reach) + 1, step)]


def _draw_frame(axes: Axes, grid: BEVGrid) -> None:
    left, right, bottom, top = map_extent(grid)
    for radius in ring_radii(grid):
        axes.add_patch(Circle((0, 0), radius, fill=False, color=GRID_COLOUR, linewidth=0.6, alpha=0.7, linestyle=':'))
        if radius < 0.95 * top:
            label = f'{radius:g} m'
            axes.text(0, radius, label, color=GRID_COLOUR, fontsize=LABEL_SIZE - 1.5, ha='center', va='bottom')
    axes.plot([0], [0], marker=(3, 0, 0), markersize=9, color=EGO_COLOUR, markeredgecolor='black', zorder=6)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect('equal')
    axes.set_xlabel('x, right (m)', fontsize=LABEL_SIZE, labelpad=1)
    axes.set_ylabel('y, forward (m)', fontsize=LABEL_SIZE, labelpad=1)


def draw_outlines(
    axes: Axes,
    boxes: BoxSet,
    colours: Sequence[Colour] | None = None,
    threshold: float = 0.0,
    linewidth: float = 1.2,
) -> PolyCollection:
    """Add the ground outlines and heading marks of boxes to a panel in metres.

    Args:
        axes: Panel with x right and y forward.
        boxes: Ground truth (white, filled with the class colour) or predictions (class colour, opacity by score).
        colours: One RGB colour per class; None draws everything in white.
        threshold: Score at which the opacity starts.
        linewidth: Of the outline, in points.

    Returns:
        The outlines, one polygon (4, 2) per box.
    """
    corners = boxes.corners()
    count = len(boxes)
    rgb = np.tile(TRUTH_COLOUR, (count, 1)) if colours is None else np.asarray(colours, dtype=float)[boxes.labels]
    if boxes.scores is None:
        edge = np.tile((*TRUTH_COLOUR, 0.95), (count, 1))
        face = np.hstack((rgb.reshape(-1, 3), np.full((count, 1), 0.10 if colours is None else 0.30)))
    else:
        alpha = np.asarray([score_alpha(float(score), threshold) for score in boxes.scores]).reshape(-1, 1)
        edge = np.hstack((rgb.reshape(-1, 3), alpha))
        face = np.hstack((rgb.reshape(-1, 3), 0.12 * alpha))
    polygons = list(footprints(corners))
    outlines = PolyCollection(polygons, edgecolors=edge, facecolors=face, linewidths=linewidth, zorder=4)
    axes.add_collection(outlines, autolim=False)
    marks = heading_marks(corners)[..., :2]
    axes.add_collection(LineCollection(list(marks), colors=edge, linewidths=linewidth, zorder=5), autolim=False)
    return outlines


def write_captions(
    axes: Axes, boxes: BoxSet, names: Sequence[str], colours: Sequence[Colour] | None = None
) -> None:
    """Write class and score of each box at its upper right, in the class colour or in white; nothing without names."""
    captions = zip(boxes.corners(), boxes.labels, boxes.captions(names), strict=False)
    for corners, label, text in reversed(list(captions)):  # The best, drawn last, finds a place first.
        x, y = corners[:, :2].max(axis=0)
        write_beside(axes, x, y, text, TRUTH_COLOUR if colours is None else colours[label])


def draw_bev(
    axes: Axes,
    grid: BEVGrid,
    points: Points | None,
    truth: BoxSet | None,
    predictions: BoxSet | None,
    colours: Sequence[Colour],
    threshold: float = 0.0,
    title: str = "bird's-eye view",
    names: Sequence[str] = (),
    missed: NDArray[np.bool_] | None = None,
) -> None:
    """Draw one sample from above.

    Args:
        axes: Empty axes.
        grid: Its range limits the picture; LiDAR y points up, LiDAR x to the right.
        points: LiDAR points (P, >= 3), metres, or None.
        truth: Ground truth, white with the class colour inside, or None.
        predictions: Predictions in class colours, or None.
        colours: One RGB colour per class.
        threshold: Score at which the opacity of predictions starts.
        title: Title of the panel.
        names: Names of the classes to write, with the score, at each prediction; empty to write nothing.
        missed: Mask of the objects that no prediction found, whose class is written too.
    """
    dark_panel(axes, title)
    _draw_frame(axes, grid)
    if points is not None and len(points):
        inside = grid.contains(torch.as_tensor(points[:, :2], dtype=torch.float64)).numpy()
        shown = points[inside]
        brightness = np.clip((shown[:, 2] + 3.5) / 4.5, 0.35, 1.0)
        rgba = np.hstack((np.asarray(POINT_COLOUR) * brightness[:, None], np.full((len(shown), 1), 0.9)))
        axes.scatter(shown[:, 0], shown[:, 1], s=1.6, c=rgba, linewidths=0, zorder=2, rasterized=True)
    if truth is not None and len(truth):
        draw_outlines(axes, truth, colours, linewidth=1.0)
    if predictions is not None and len(predictions):
        draw_outlines(axes, predictions, colours, threshold, linewidth=1.6)
        write_captions(axes, predictions, names, colours)
    if truth is not None and missed is not None:
        write_captions(axes, truth.select(missed), names)


def legend_handles(
    classes: Sequence[str], colours: Sequence[Colour], has_truth: bool, has_predictions: bool, threshold: float
) -> list[Line2D | Patch]:
    """Make the legend entries for the marks of all panels."""
    handles: list[Line2D | Patch] = []
    if has_truth:
        label = 'ground truth\n(fill: its class)'
        handles.append(Patch(facecolor=(1, 1, 1, 0.1), edgecolor=TRUTH_COLOUR, label=label))
    if has_predictions:
        label = f'prediction, score ≥ {threshold:g}\n(faint: less sure)'
        handles.append(Patch(facecolor=(0.8, 0.8, 0.8, 0.25), edgecolor='0.8', linewidth=1.8, label=label))
    handles.append(Line2D([], [], marker=(3, 0, 0), linestyle='', color=EGO_COLOUR, label='ego, driving up'))
    pairs = zip(classes, colours, strict=True)
    handles += [Patch(facecolor=colour, edgecolor=colour, label=name.replace('_', ' ')) for name, colour in pairs]
    return handles


def _legend_lines(handles: Sequence[Line2D | Patch], width: float) -> int:
    """Count the lines that a legend takes, by the usual width of its letters and marks."""
    needed = sum(0.5 + 0.062 * max(map(len, str(handle.get_label()).split('\n'))) for handle in handles)
    return -(-round(100 * needed) // round(100 * width))


def legend_height(handles: Sequence[Line2D | Patch], width: float) -> float:
    """Height that a legend needs in a figure of `width`, both in inches."""
    return 0.2 + 0.26 * _legend_lines(handles, width)


def draw_legend(axes: Axes, handles: Sequence[Line2D | Patch], width: float) -> None:
    """Fill an axes, `width` inches wide, with a dark legend in as many lines as it takes."""
    axes.set_axis_off()
    columns = -(-len(handles) // _legend_lines(handles, width))
    legend = axes.legend(
        handles=list(handles), loc='center', ncols=columns, fontsize=LABEL_SIZE, labelcolor='white', framealpha=1.0,
        facecolor=PANEL_COLOUR, edgecolor=GRID_COLOUR, borderpad=0.9, labelspacing=0.55,
    )  # fmt: skip
    legend.get_frame().set_linewidth(0.6)
