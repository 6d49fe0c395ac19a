"""Make figures without pyplot, whose global state would forbid drawing in hooks and data loaders."""

from __future__ import annotations

from pathlib import Path

from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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


def write_beside(axes: Axes, x: float, y: float, text: str, colour: Colour) -> None:
    """Write a small caption whose lower left corner is at (x, y), readable on any ground; cut at the axes."""
    stroke = [patheffects.Stroke(linewidth=1.4, foreground='black', alpha=0.8), patheffects.Normal()]
    size, pale = LABEL_SIZE - 2, [0.5 + 0.5 * part for part in colour]
    axes.text(x, y, text, fontsize=size, color=pale, va='bottom', path_effects=stroke, clip_on=True, zorder=7)


def dark_panel(axes: Axes, title: str) -> None:
    """Style an axes as a bird's-eye panel: dark ground, thin frame, small title."""
    axes.set_facecolor(PANEL_COLOUR)
    axes.set_title(title, fontsize=TITLE_SIZE, pad=4)
    axes.tick_params(labelsize=LABEL_SIZE - 1, colors='0.25', length=2)
    for spine in axes.spines.values():
        spine.set_color(GRID_COLOUR)
        spine.set_linewidth(0.6)
