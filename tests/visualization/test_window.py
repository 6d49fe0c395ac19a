"""Windows for pictures: asked for where there is no screen, and shown by a back end that is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from bevdistill.visualization.window import require_windows, show_picture


def test_without_a_screen_the_back_end_is_named() -> None:
    opened = pyplot.get_fignums()
    message = r"--show needs a screen: .*back end '\w+', which has no windows\. .*--show-dir DIR"
    with pytest.raises(ValueError, match=message):
        require_windows()
    assert pyplot.get_fignums() == opened


def test_a_back_end_with_windows_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FigureCanvasAgg, 'required_interactive_framework', 'qt')
    opened = pyplot.get_fignums()
    require_windows()
    assert pyplot.get_fignums() == opened


@pytest.mark.parametrize(('wait', 'expected'), [(0.0, 'show'), (-1.0, 'show'), (2.5, 'pause 2.5')])
def test_a_picture_fills_its_window_for_as_long_as_asked(
    wait: float, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One inch for each hundred pixels, no axes; the window is closed in the end."""
    shown: list[Any] = []

    def look(how: str) -> None:
        figure = pyplot.gcf()
        (axes,) = figure.axes
        shown.append((how, figure.get_label() or figure.number, tuple(figure.get_size_inches()), axes))

    monkeypatch.setattr(pyplot, 'show', lambda: look('show'))
    monkeypatch.setattr(pyplot, 'pause', lambda seconds: look(f'pause {seconds:g}'))
    opened = pyplot.get_fignums()
    pixels = np.zeros((50, 120, 3), np.uint8)
    pixels[10, 20] = 200
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    show_picture(tmp_path / 'a.png', wait)
    ((how, name, size, axes),) = shown
    assert (how, name, size) == (expected, 'a.png', (1.2, 0.5))
    assert axes.get_position().bounds == (0, 0, 1, 1) and not axes.axison
    assert axes.images[0].get_array()[10, 20].tolist() == [200] * 3
    assert pyplot.get_fignums() == opened
