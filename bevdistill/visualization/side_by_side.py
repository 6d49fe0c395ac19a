"""Draw the predictions of several models for one sample beside each other, from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from .bev_view import draw_bev, draw_legend, legend_handles, legend_height
from .boxes import BoxSet
from .figures import new_figure
from .palette import class_colours, short_names
from .report import HEADING_HEIGHT, LOWER_HEIGHT, Page, draw_heading


def side_by_side_page(page: Page, models: Sequence[tuple[str, BoxSet | None]]) -> Figure:
    """Draw one bird's-eye panel per model, with the same points, ground truth, range and threshold.

    Args:
        page: Sample, grid, classes and threshold; its own predictions and maps are not drawn.
        models: Name and decoded predictions of each model (None: it has none), from left to right.
    """
    frame, colours = page.frame.within(page.grid), class_colours(page.classes)
    width = LOWER_HEIGHT * max(2, len(models))
    handles = legend_handles(page.classes, colours, frame.truth is not None, True, page.threshold)
    rows = [HEADING_HEIGHT, legend_height(handles, width), LOWER_HEIGHT]
    figure = new_figure(width, sum(rows))
    heading, legend, panels = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=rows, hspace=0).ravel()
    draw_heading(heading, page)
    draw_legend(legend.add_axes((0, 0, 1, 1)), handles, width)
    panels.subplots_adjust(left=0.04, right=0.995, bottom=0.065, top=0.955, wspace=0.12)
    axes = panels.subplots(1, len(models), squeeze=False)[0]
    names = short_names(page.classes)
    for axis, (name, predictions) in zip(axes, models, strict=True):
        own = replace(page, predictions=predictions)
        shown = own.drawn()
        found = own.found(shown)
        title, missed = (name, None) if found is None else (f'{name}: {found}', found.missed)
        draw_bev(axis, page.grid, frame.points, frame.truth, shown, colours, page.threshold, title, names, missed)
    return figure
