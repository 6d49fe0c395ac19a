"""What was drawn into a picture, as numbers and words."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures in place of the files that they would be saved to, which takes a second each."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, 'savefig', lambda figure, path, **options: figures.append(figure))
    return figures


def lines(axis: Axes) -> list[tuple[list[float], list[float]]]:
    """Points of each line, without those that only stand in a legend."""
    points = [(list(line.get_xdata()), list(line.get_ydata())) for line in axis.get_lines()]
    return [point for point in points if len(point[0])]


def texts(axis: Axes) -> list[str]:
    return [text.get_text() for text in axis.texts]
