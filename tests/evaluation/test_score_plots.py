"""What the pictures of scores show: each curve under its class, each count in its cell."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn import drawn, lines, texts  # noqa: F401
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from bevdistill.evaluation.score_plots import save_confusion, save_curves


def curves(names: list[str], distances: tuple[float, ...] = (0.5, 2.0)) -> pd.DataFrame:
    """Precision of the i-th class is 1 - recall / (i + distance)."""
    steps = np.linspace(0, 1, 3)
    return pd.concat([
        pd.DataFrame({'class': name, 'distance': distance, 'recall': steps, 'precision': 1 - steps / (i + distance)})
        for i, name in enumerate(names) for distance in distances
    ])  # fmt: skip


def test_a_panel_of_each_class(tmp_path: Path, drawn: list[Figure]) -> None:  # noqa: F811
    """Six classes fill a row of five and begin another, whose rest is empty."""
    names = [f'class_{i}' for i in range(6)]
    aps = {name: i / 8 for i, name in enumerate(names)}
    save_curves(curves(names), aps, tmp_path / 'a.png')
    (figure,) = drawn
    assert len(figure.axes) == 10
    assert [axis.axison for axis in figure.axes] == [True] * 6 + [False] * 4
    assert [axis.get_title() for axis in figure.axes[:6]] == [f'class {i}: AP {i / 8:.3f}' for i in range(6)]
    assert figure.axes[0].get_xlim() == (0, 1) and figure.axes[0].get_ylim() == (0, 1.02)
    assert figure.get_size_inches() == pytest.approx([2.6 * 5 + 0.8, 2.7 * 2 + 0.5])
    assert lines(figure.axes[3]) == [([0, 0.5, 1], [1, 1 - 0.5 / d, 1 - 1 / d]) for d in (3.5, 5.0)]
    near, far = figure.axes[3].get_lines()
    assert sum(to_rgb(near.get_color())) > sum(to_rgb(far.get_color())), 'darker with the distance'
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['0.5 m', '2 m']
    assert legend.get_title().get_text() == 'matched within'
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ('recall', 'precision')


@pytest.mark.parametrize('count', [0, 1, 5])
def test_few_classes_fill_one_row(count: int, tmp_path: Path, drawn: list[Figure]) -> None:  # noqa: F811
    names = [str(i) for i in range(count)]
    table = curves(names) if names else pd.DataFrame(columns=['class', 'distance', 'recall', 'precision'])
    save_curves(table, dict.fromkeys(names, 0.5), tmp_path / 'a.png')
    (figure,) = drawn
    assert len(figure.axes) == max(count, 1)
    assert figure.get_size_inches() == pytest.approx([2.6 * max(count, 1) + 0.8, 3.2])
    assert len(figure.legends) == (count > 0)


MATRIX = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])


def test_a_cell_has_its_count_and_the_share_of_its_row(tmp_path: Path, drawn: list[Figure]) -> None:  # noqa: F811
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # numpy warns where a class without objects divides by zero
        save_confusion(MATRIX, ['car', 'traffic_cone'], 0.25, tmp_path / 'a.png')
    (figure,) = drawn
    axis = figure.axes[0]
    np.testing.assert_allclose(axis.images[0].get_array(), [[0.75, 0.25, 0], [0, 0, 0], [1, 0, 0]])
    assert axis.images[0].get_clim() == (0, 1)
    cells = {text.get_position(): (text.get_text(), text.get_color()) for text in axis.texts}
    assert cells == {(0, 0): ('3', 'white'), (1, 0): ('1', '0.15'), (0, 2): ('2', 'white')}, 'columns are detections'
    assert [label.get_text() for label in axis.get_xticklabels()] == ['car', 'traffic cone', 'not detected']
    assert [label.get_text() for label in axis.get_yticklabels()] == ['car', 'traffic cone', 'no object']
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('detected as', 'object')
    assert axis.get_title() == 'objects within 2 m of a box; scores of at least 0.25'


def test_a_matrix_of_nothing_has_no_numbers(tmp_path: Path, drawn: list[Figure]) -> None:  # noqa: F811
    save_confusion(np.zeros((2, 2), dtype=np.int64), ['car'], 0.5, tmp_path / 'a.png')
    assert texts(drawn[0].axes[0]) == []
