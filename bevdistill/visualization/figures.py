"""Make figures without pyplot, whose global state would forbid drawing in hooks and data loaders."""

from __future__ import annotations

from pathlib import Path

from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

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


class TextInside(Text):
    """Text that is moved into its axes where it would stick out."""

    def draw(self, renderer: RendererBase) -> None:
        """Move the text as far as needed, and draw it."""
        assert self.axes is not None
        text, frame = self.get_window_extent(renderer), self.axes.bbox.padded(-2)
        right = max(frame.x0 - text.x0, min(frame.x1 - text.x1, 0))
        up = max(frame.y0 - text.y0, min(frame.y1 - text.y1, 0))
        if right or up:
            self.set_transform(self.get_transform() + Affine2D().translate(right, up))
        super().draw(renderer)


def write_beside(axes: Axes, x: float, y: float, text: str, colour: Colour) -> None:
    """Write a small caption whose lower left corner is at (x, y), readable on any ground, inside the axes."""
    stroke = [patheffects.Stroke(linewidth=1.4, foreground='black', alpha=0.8), patheffects.Normal()]
    size, pale = LABEL_SIZE - 2, [0.5 + 0.5 * part for part in colour]
    axes.add_artist(TextInside(
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
