from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from bevdistill.structures import BEVGrid, BEVOutputs
from bevdistill.visualization.camera_view import MONTAGE
from bevdistill.visualization.figures import save_figure
from bevdistill.visualization.frame import Frame
from bevdistill.visualization.report import ModelMaps, Page, report_page

from .helpers import CLASSES, GRID, box_set, front_camera


def _frame(cameras: bool = True, points: bool = True, truth: bool = True) -> Frame:
    names = [name for row in MONTAGE for name in row] if cameras else []
    return Frame(
        token='0123456789',
        images={name: np.full((64, 176, 3), 90, dtype=np.uint8) for name in names},
        lidar2img=dict.fromkeys(names, front_camera()),
        points=np.random.uniform(-10, 10, (100, 5)).astype(np.float32) if points else None,
        truth=box_set([[2, 8, -1, 4, 2, 1.5, 1.6], [100, 0, 0, 1, 1, 1, 0]]) if truth else None,
    )


def _maps(name: str, heatmap: bool = True) -> ModelMaps:
    bev, logits = torch.randn(6, GRID.rows, GRID.cols), torch.randn(2, GRID.rows, GRID.cols)
    return ModelMaps(name, GRID, bev, logits if heatmap else None)


def test_full_page_is_a_picture_of_the_right_size(tmp_path: Path) -> None:
    predictions = box_set([[2, 8, -1, 4, 2, 1.5, 1.6]], scores=[0.7])
    maps = (_maps('teacher'), _maps('student'))
    page = Page('a model', _frame(), GRID, CLASSES, predictions, maps, note='small print')
    figure = report_page(page)
    path = save_figure(figure, tmp_path / 'deep' / 'page.png')
    with Image.open(path) as picture:
        width, height = picture.size
        assert picture.convert('L').getextrema() == (0, 255)
    assert (width, height) == tuple((figure.get_size_inches() * figure.dpi).astype(int))
    assert width > height > 800
    assert path.stat().st_size > 20_000


def texts_of(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_page_says_what_is_found_and_names_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[2, 8, -1, 4, 2, 1.5, 1.6], [-9, -5, -1, 1, 1, 2, 0], [5, 5, -1, 1, 1, 2, 0]]
    predictions = box_set(rows, labels=[0, 1, 1], scores=[0.7, 0.31, 0.1])
    frame = _frame()
    frame = replace(frame, truth=box_set([rows[0], [8, 1, 0, 4, 2, 1, 0]], labels=[0, 0]))
    page = Page('a model', frame, GRID, CLASSES, predictions)
    texts = texts_of(report_page(page))
    assert 'a model · 1 of 2 found, 1 false' in texts
    assert 'car 70' in texts and 'pedestr. 31' in texts and 'pedestr. 10' not in texts
    assert texts.count('car') == 2, 'the legend, and the object that is missed'
    assert sum('176 x 64 pixels' in text for text in texts) == 6
    unjudged = texts_of(report_page(replace(page, judged=False)))
    assert 'a model' in unjudged and 'car 70' not in unjudged and 'pedestr.' in unjudged
    assert not any(text.startswith(('prediction, score', 'ground truth')) for text in unjudged)


@pytest.mark.parametrize('sensors', [(True, False), (False, True), (False, False)])
def test_pages_with_what_there_is(tmp_path: Path, sensors: tuple[bool, bool]) -> None:
    cameras, points = sensors
    page = Page('a model', _frame(cameras, points, truth=False), GRID, CLASSES)
    assert save_figure(report_page(page), tmp_path / 'page.png').stat().st_size > 5_000


def test_no_predictions_above_the_threshold_and_no_heatmap(tmp_path: Path) -> None:
    predictions = box_set([[2, 8, -1, 4, 2, 1.5, 1.6]], scores=[0.1])
    page = Page('a model', _frame(), GRID, CLASSES, predictions, (_maps('student', heatmap=False),))
    assert save_figure(report_page(page), tmp_path / 'page.png').exists()


def test_maps_come_from_the_outputs_of_a_batch() -> None:
    grid = BEVGrid((-8, -8, -5, 8, 8, 3), 4, 6)
    bev = torch.randn(2, 5, 4, 6, requires_grad=True)
    decoder = [torch.zeros(1, 2, 3, size) for size in (7, 2, 10, 2)]
    outputs = BEVOutputs(grid, bev, *decoder)
    maps = ModelMaps.from_outputs('student', outputs, index=1)
    assert not maps.bev.requires_grad
    torch.testing.assert_close(maps.bev, bev[1].detach())
    assert maps.heatmap is None


def test_one_object_in_the_same_place_of_picture_map_and_mask() -> None:
    """The page's panels share one extent, so a cell of the mask lies under the box that drew it."""
    from bevdistill.detection import gaussian_foreground

    frame = Frame('a', truth=box_set([[-15, 7, -1, 2, 2, 2, 0]]))
    mask = gaussian_foreground(frame.targets(), GRID)[0]
    row, col = divmod(int(mask.argmax()), GRID.cols)
    centre = GRID.to_metres(torch.tensor([col + 0.5, row + 0.5]))
    assert frame.truth is not None
    assert (centre - frame.truth.boxes.gravity_center[0, :2]).abs().max() <= 1.0
    figure = report_page(Page('a', frame, GRID, CLASSES, maps=(_maps('student'),)))
    panels = [axes for part in figure.subfigs[-2].subfigs for axes in part.axes if axes.axison and axes.get_title()]
    assert len(panels) == 5
    assert {axes.get_xlim() for axes in panels} == {(-20.0, 20.0)}
    assert {axes.get_ylim() for axes in panels} == {(-10.0, 10.0)}


@pytest.mark.parametrize('length', [2, 25])
def test_a_long_title_is_written_as_wide_as_the_page(length: int) -> None:
    figure = report_page(Page('a model ' * length, Frame('a'), GRID, CLASSES, note='small print ' * length))
    title, note = figure.subfigs[0].texts
    assert (title.get_fontsize(), note.get_fontsize()) == (13, 9) or length > 2
    assert all(text.get_window_extent().x1 <= figure.bbox.width for text in (title, note))
