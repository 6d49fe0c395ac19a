from pathlib import Path

from PIL import Image

from bevdistill.visualization.figures import dark_panel, new_figure, save_figure


def test_figure_has_the_size_asked_for_and_leaves_pyplot_alone(tmp_path: Path) -> None:
    from matplotlib import pyplot

    open_before = pyplot.get_fignums()
    figure = new_figure(3, 2, dpi=50)
    dark_panel(figure.add_subplot(), 'a panel')
    path = save_figure(figure, tmp_path / 'new' / 'picture.png')
    assert Image.open(path).size == (150, 100)
    assert pyplot.get_fignums() == open_before
