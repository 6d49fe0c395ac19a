"""Make figures without pyplot, whose global state would forbid drawing in hooks and data loaders."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox

from .palette import GRID_COLOUR, PANEL_COLOUR, Colour

TITLE_SIZE = 10
LABEL_SIZE = 8


def new_figure(width: float, height: float, dpi: int = 110) -> Figure:
    """Make an empty figure of `width` x `height` inches on the Agg canvas."""
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as an image file; folders are made. Returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


class Caption(Text):
    """Text that stays inside its axes and off earlier captions: moved in, else a line up or down, else left out."""

    place: Bbox | None = None
    """Where it is on the canvas, once it is drawn."""

    def draw(self, renderer: RendererBase) -> None:
        """Find a free place and draw the text there, if there is one."""
        assert self.axes is not None
        text, frame = self.get_window_extent(renderer), self.axes.bbox.padded(-2)
        earlier = takewhile(lambda other: other is not self, self.axes.texts)
        taken = [other.place for other in earlier if isinstance(other, Caption) and other.place is not None]
        self.place = None
        for line in (0, 1, -1):
            spot = text.translated(0, line * text.height)
            right = max(frame.x0 - spot.x0, min(frame.x1 - spot.x1, 0))
            up = max(frame.y0 - spot.y0, min(frame.y1 - spot.y1, 0))
            spot = spot.translated(right, up)
            if spot.count_overlaps(taken) == 0:
                self.place = spot
                self.set_transform(self.get_transform() + Affine2D().translate(spot.x0 - text.x0, spot.y0 - text.y0))
                super().draw(renderer)
                return


def write_beside(axes: Axes, x: float, y: float, text: str, colour: Colour) -> None:
    """Write a small caption whose lower left corner is at (x, y), readable on any ground; see :class:`Caption`."""
    stroke = [patheffects.Stroke(linewidth=1.4, foreground='black', alpha=0.8), patheffects.Normal()]
    size, pale = LABEL_SIZE - 2, [0.5 + 0.5 * part for part in colour]
    axes.add_artist(Caption(
        x, y, text, fontsize=size, color=pale, va='bottom', path_effects=stroke, clip_on=True, zorder=7,
        transform=axes.transData,
    ))  # fmt: skip


def dark_panel(axes: Axes, title: str) -> None:
    """Style an axes as a bird's-eye panel: dark ground, thin frame, small title."""
    axes.set_facecolor(PANEL_COLOUR)
    axes.set_title(title, fontsize=TITLE_SIZE, pad=4)
    axes.tick_params(labelsize=LABEL_SIZE - 1, colors='0.25', length=2)
    for spine in axes.spines.values():
        spine.set_color(GRID_COLOUR)
        spine.set_linewidth(0.6)
