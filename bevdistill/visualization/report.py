"""Draw a report page on one model and one sample: cameras, the scene from above, foreground masks and BEV maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from ..detection import gaussian_foreground
from ..structures import BEVGrid, BEVOutputs
from .bev_view import draw_bev, draw_legend, legend_handles
from .boxes import BoxSet
from .camera_view import draw_cameras
from .figures import LABEL_SIZE, new_figure
from .frame import Frame
from .map_view import PrincipalColours, channel_norm, draw_map
from .palette import class_colours

PAGE_WIDTH = 16.0
CAMERA_WIDTH = PAGE_WIDTH / 3
LOWER_HEIGHT = 6.3


@dataclass(frozen=True)
class ModelMaps:
    """Maps of one model for one sample.

    Args:
        name: What the model is called on the page, such as ``teacher``.
        grid: Grid of the maps.
        bev: BEV map, (C, H, W).
        heatmap: Logits of the auxiliary class heatmap, (K, H, W), or None.
    """

    name: str
    grid: BEVGrid
    bev: Tensor
    heatmap: Tensor | None = None

    @classmethod
    def from_outputs(cls, name: str, outputs: BEVOutputs, index: int = 0) -> ModelMaps:
        """Take the maps of one sample of a batch."""
        heatmap = None if outputs.heatmap is None else outputs.heatmap[index].detach().cpu()
        return cls(name, outputs.grid, outputs.bev[index].detach().cpu(), heatmap)


@dataclass(frozen=True)
class Page:
    """Content of a report page.

    Args:
        title: First line of the page.
        frame: Sensor data and ground truth.
        grid: Range of the bird's-eye panels.
        classes: Class names.
        predictions: Decoded predictions of the model that the page is about, or None.
        maps: Maps of the models to show side by side, teacher first.
        note: Small print at the right of the title.
        foreground_of: The model in `maps` whose predicted foreground is shown; by default the last that has one.
        threshold: Predictions that score less are not drawn.
        limit: At most so many predictions are drawn.
    """

    title: str
    frame: Frame
    grid: BEVGrid
    classes: Sequence[str]
    predictions: BoxSet | None = None
    maps: Sequence[ModelMaps] = ()
    note: str = ''
    foreground_of: str | None = None
    threshold: float = 0.2
    limit: int = 60


def _camera_height(frame: Frame) -> float:
    if not frame.images:
        return 0.0
    height, width = next(iter(frame.images.values())).shape[:2]
    rows = -(-len(frame.images) // 3)
    return rows * CAMERA_WIDTH * height / width


def draw_heading(heading: SubFigure, page: Page) -> None:
    """Write title and small print of a page."""
    heading.text(0.006, 0.45, page.title, fontsize=13, fontweight='bold', va='center')
    heading.text(0.994, 0.45, page.note, fontsize=9, color='0.35', va='center', ha='right')


def _foreground_panels(page: Page, upper: Axes, lower: Axes) -> None:
    """Draw the ground-truth foreground mask above, the foreground that a model predicts below."""
    truth = page.frame.truth
    grid = page.maps[0].grid if page.maps else page.grid
    mask = gaussian_foreground(page.frame.targets(), grid)[0].double().numpy()
    draw_map(upper, grid, mask, 'foreground mask, ground truth', truth, 'magma', (0.0, 1.0))
    predicted = [maps for maps in page.maps if maps.heatmap is not None and page.foreground_of in (None, maps.name)]
    if not predicted:
        lower.set_axis_off()
        return
    maps = predicted[-1]
    assert maps.heatmap is not None
    heat = maps.heatmap.sigmoid().amax(dim=0).double().numpy()
    limits = (0.0, max(float(heat.max()), 0.1))
    draw_map(lower, maps.grid, heat, f'foreground that {maps.name} predicts', truth, 'magma', limits)


def _model_panels(page: Page, maps: ModelMaps, upper: Axes, lower: Axes) -> None:
    """Draw the norm of a BEV map above, its principal components below."""
    draw_map(upper, maps.grid, channel_norm(maps.bev), f'{maps.name} BEV map, norm', page.frame.truth)
    painted = PrincipalColours.fit(maps.bev).paint(maps.bev)
    draw_map(lower, maps.grid, painted, f'{maps.name} BEV map, PCA colours', colourbar=False)


def _map_panels(figure: SubFigure, page: Page) -> None:
    columns = 1 + len(page.maps)
    axes = figure.subplots(2, columns, squeeze=False)
    _foreground_panels(page, axes[0, 0], axes[1, 0])
    for column, maps in enumerate(page.maps, start=1):
        _model_panels(page, maps, axes[0, column], axes[1, column])
    for column in range(columns):
        axes[1, column].set_xlabel('x, right (m)', fontsize=LABEL_SIZE - 1, labelpad=1)
    for row in range(2):
        axes[row, 0].set_ylabel('y, forward (m)', fontsize=LABEL_SIZE - 1, labelpad=0)


def report_page(page: Page) -> Figure:
    """Draw a report page.

    Above: the cameras with projected boxes (ground truth white, predictions in class colours) and a legend. Below: the
    scene from above, the foreground mask and each model's BEV map, all with forward up and in metres.

    Args:
        page: What to show; cameras, points, ground truth, predictions and maps may each be absent.

    Returns:
        The figure, ready to be saved.
    """
    frame = page.frame.within(page.grid)
    page = replace(page, frame=frame)
    colours = class_colours(page.classes)
    predictions = page.predictions
    if predictions is not None:
        predictions = predictions.within(page.grid).confident(page.threshold, page.limit)
    camera_height = _camera_height(frame)
    rows = [height for height in (0.36, camera_height, 0.46, LOWER_HEIGHT) if height > 0]
    figure = new_figure(PAGE_WIDTH, sum(rows))
    parts = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=rows, hspace=0).ravel().tolist()
    draw_heading(parts.pop(0), page)
    if camera_height:
        draw_cameras(parts.pop(0), frame.images, frame.lidar2img, frame.truth, predictions, colours, page.threshold)
    handles = legend_handles(page.classes, colours, frame.truth is not None, predictions is not None, page.threshold)
    draw_legend(parts.pop(0).add_axes((0, 0, 1, 1)), handles, columns=len(handles))
    bev_width = LOWER_HEIGHT - 0.1
    if not page.maps and frame.truth is None:
        middle = parts.pop(0)
        middle.subplots_adjust(bottom=0.065, top=0.955)
        draw_bev(middle.add_subplot(), page.grid, frame.points, None, predictions, colours, page.threshold)
        return figure
    left, right = parts.pop(0).subfigures(1, 2, width_ratios=(bev_width, PAGE_WIDTH - bev_width), wspace=0)
    left.subplots_adjust(left=0.07, right=0.995, bottom=0.065, top=0.955)
    title = "bird's-eye view" if frame.points is None else "bird's-eye view and LiDAR points"
    draw_bev(left.add_subplot(), page.grid, frame.points, frame.truth, predictions, colours, page.threshold, title)
    right.subplots_adjust(left=0.055, right=0.95, bottom=0.065, top=0.955, wspace=0.24, hspace=0.16)
    _map_panels(right, page)
    return figure
