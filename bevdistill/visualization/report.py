"""Draw a report page on one model and one sample: cameras, the scene from above, foreground masks and BEV maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.figure import Figure, SubFigure

from ..structures import BEVGrid
from .bev_view import draw_bev, draw_legend, legend_handles, legend_height, write_captions
from .boxes import BoxSet
from .camera_view import camera_rows, draw_cameras
from .figures import LABEL_SIZE, new_figure
from .found import Found
from .frame import Frame
from .map_panels import ModelMaps, draw_maps
from .pairs import MatchedPairs
from .palette import class_colours, short_names

PAGE_WIDTH = 16.0
HEADING_HEIGHT = 0.5
LOWER_HEIGHT = 6.3
BEV_WIDTH = LOWER_HEIGHT - 0.1
FOOTER_HEIGHT = 0.6


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
        note: Small print below the title.
        foreground_of: The model in `maps` whose predicted foreground is shown; by default the last that has one.
        threshold: Predictions that score less are not drawn.
        limit: At most so many predictions are drawn.
        pairs: Matched pairs of a sparse distillation loss, or None.
        judged: Whether the predictions are compared with the ground truth; False where they are the ground truth.
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
    pairs: MatchedPairs | None = None
    judged: bool = True

    def drawn(self) -> BoxSet | None:
        """Return the predictions that are drawn: on the grid, from the threshold on, the best of them."""
        if self.predictions is None:
            return None
        return self.predictions.within(self.grid).confident(self.threshold, self.limit)

    def caption(self) -> str:
        """Return the title with what is found."""
        found = self.found(self.drawn())
        return self.title if found is None else f'{self.title} · {found}'

    def found(self, predictions: BoxSet | None) -> Found | None:
        """Compare drawn predictions with the ground truth on the grid, if there is one."""
        truth = self.frame.within(self.grid).truth
        return None if truth is None or predictions is None or not self.judged else Found.of(truth, predictions)


def page_title(model: str, token: str, scene: str = '') -> str:
    """Name a page: model, sample and scene, by the first digits of their tokens."""
    return f'{model} · sample {token[:8]}' + (f' · scene {scene[:8]}' if scene else '')


def _camera_height(frame: Frame) -> float:
    """Height of the cameras' rows; a row of upright images is as high as one of square ones."""
    if not frame.images:
        return 0.0
    height, width = next(iter(frame.images.values())).shape[:2]
    rows = camera_rows(list(frame.images))
    return len(rows) * PAGE_WIDTH / max(3, len(rows[0])) * min(height / width, 1.0)


def draw_heading(heading: SubFigure, page: Page) -> None:
    """Write title and small print of a page."""
    title = heading.text(0.006, 0.7, page.title, fontweight='bold', va='center')
    note = heading.text(0.006, 0.22, page.note, color='0.35', va='center')
    for text, size in ((title, 13.0), (note, 9.0)):
        text.set_fontsize(size)
        # What is longer than the page is written smaller.
        share = text.get_window_extent().width / (0.97 * heading.bbox.width)
        text.set_fontsize(size / max(share, 1.0))


def report_page(page: Page) -> Figure:
    """Draw a report page.

    Above: how many objects are found, the cameras with projected boxes (ground truth white, predictions in class
    colours, each with class and score) and a legend. Below: the scene from above, the foreground mask, each model's BEV
    map and their difference, all with forward up and in metres, and what they say.

    Args:
        page: What to show; cameras, points, ground truth, predictions and maps may each be absent.

    Returns:
        The figure, ready to be saved.
    """
    predictions = page.drawn()
    found = page.found(predictions)
    frame = page.frame.within(page.grid)
    page = replace(page, frame=frame, title=page.caption())
    colours, names = class_colours(page.classes), short_names(page.classes) if page.judged else []
    has_maps = bool(page.maps) or frame.truth is not None
    marks = (page.judged and frame.truth is not None, page.judged and predictions is not None)
    handles = legend_handles(page.classes, colours, *marks, page.threshold)
    legend = legend_height(handles, PAGE_WIDTH)
    heights = (HEADING_HEIGHT, _camera_height(frame), legend, LOWER_HEIGHT, FOOTER_HEIGHT if page.maps else 0.0)
    rows = [height for height in heights if height > 0]
    figure = new_figure(PAGE_WIDTH, sum(rows))
    parts = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=rows, hspace=0).ravel().tolist()
    draw_heading(parts.pop(0), page)
    if frame.images:
        cameras = (frame.images, frame.lidar2img, frame.truth, predictions)
        draw_cameras(parts.pop(0), *cameras, colours, page.threshold, names)
    draw_legend(parts.pop(0).add_axes((0, 0, 1, 1)), handles, PAGE_WIDTH)
    left = middle = parts.pop(0)
    if has_maps:
        left, right = middle.subfigures(1, 2, width_ratios=(BEV_WIDTH, PAGE_WIDTH - BEV_WIDTH), wspace=0)
        right.subplots_adjust(left=0.055, right=0.95, bottom=0.065, top=0.955, wspace=0.24, hspace=0.16)
        said = draw_maps(right, page.maps, frame, page.grid, page.foreground_of, page.pairs)
        if page.maps:
            _write_footer(parts.pop(0), said)
        left.subplots_adjust(left=0.07, right=0.995)
    left.subplots_adjust(bottom=0.065, top=0.955)
    axes = left.add_subplot()
    title = "bird's-eye view" if frame.points is None else "bird's-eye view and LiDAR points"
    seen = (frame.points, frame.truth, predictions)
    draw_bev(axes, page.grid, *seen, colours, page.threshold, title, names, None if found is None else found.missed)
    if predictions is not None and not page.judged:
        write_captions(axes, replace(predictions, scores=None), short_names(page.classes), colours)
    return figure


def _write_footer(footer: SubFigure, sentences: Sequence[str]) -> None:
    """Write what the maps say, two sentences a line."""
    for line, y in zip(range(0, len(sentences), 2), (0.82, 0.5, 0.18), strict=False):
        text = '   '.join(sentences[line : line + 2])
        footer.text(0.006, y, text, fontsize=LABEL_SIZE + 0.5, color='0.25', va='center')
