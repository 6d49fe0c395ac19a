from pathlib import Path

import pytest
from PIL import Image

from bevdistill.visualization.figures import dark_panel, new_figure, save_figure, write_beside


def test_figure_has_the_size_asked_for_and_leaves_pyplot_alone(tmp_path: Path) -> None:
    from matplotlib import pyplot

    open_before = pyplot.get_fignums()
    figure = new_figure(3, 2, dpi=50)
    dark_panel(figure.add_subplot(), 'a panel')
    path = save_figure(figure, tmp_path / 'new' / 'picture.png')
    assert Image.open(path).size == (150, 100)
    assert pyplot.get_fignums() == open_before


@pytest.mark.parametrize(('x', 'y'), [(0.0, 0.5), (0.99, 0.5), (0.5, 0.99), (0.99, 0.99)])
def test_captions_at_an_edge_stay_inside(x: float, y: float) -> None:
    figure = new_figure(2, 2, dpi=50)
    axes = figure.add_axes((0.25, 0.25, 0.5, 0.5))
    write_beside(axes, x, y, 'pedestrian 87', (1.0, 0.5, 0.0))
    figure.canvas.draw()
    text, frame = axes.texts[0].get_window_extent(), axes.bbox
    assert frame.x0 <= text.x0 and text.x1 <= frame.x1
    assert frame.y0 <= text.y0 and text.y1 <= frame.y1
    figure.canvas.draw()
    assert axes.texts[0].get_window_extent().bounds == text.bounds, 'moved once'
