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


def test_captions_in_one_place_go_a_line_up_and_down_and_the_rest_is_left_out() -> None:
    figure = new_figure(2, 2, dpi=50)
    axes = figure.add_axes((0, 0, 1, 1))
    for score in (60, 50, 40, 30):
        write_beside(axes, 0.4, 0.5, f'car {score}', (1.0, 0.5, 0.0))
    write_beside(axes, 0.4, 0.8, 'bus 90', (1.0, 0.5, 0.0))
    figure.canvas.draw()
    first, above, below, none, elsewhere = (text.place for text in axes.texts)
    assert none is None and elsewhere is not None
    assert above.y0 == pytest.approx(first.y1) and below.y1 == pytest.approx(first.y0)
    figure.canvas.draw()
    assert [text.place.bounds for text in axes.texts if text.place] == [
        place.bounds for place in (first, above, below, elsewhere)
    ], 'moved once'
