from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from bevdistill.structures import BEVGrid
from bevdistill.visualization.figures import new_figure
from bevdistill.visualization.frame import Frame
from bevdistill.visualization.map_panels import ModelMaps, _foreground, comparable, difference, draw_maps
from bevdistill.visualization.map_view import channel_norm
from bevdistill.visualization.pairs import MatchedPairs

from .helpers import GRID

COARSE = BEVGrid(GRID.point_cloud_range, GRID.rows // 2, GRID.cols // 2)


def maps(name: str, channels: int = 4, grid: BEVGrid = GRID, scale: float = 1.0) -> ModelMaps:
    return ModelMaps(name, grid, scale * torch.randn(channels, grid.rows, grid.cols))


def panels(*shown: ModelMaps, pairs: MatchedPairs | None = None) -> tuple[dict, str]:
    figure = new_figure(8, 4).subfigures(1, 1)
    said = draw_maps(figure, shown, Frame('a'), GRID, None, pairs)
    return {axes.get_title(): axes for axes in figure.axes if axes.axison}, ' '.join(said)


def test_difference_is_on_the_second_grid() -> None:
    teacher, student = maps('teacher', grid=COARSE), maps('student')
    student = ModelMaps('student', GRID, teacher.bev.repeat_interleave(2, 1).repeat_interleave(2, 2))
    flat = ModelMaps('teacher', COARSE, torch.ones_like(teacher.bev))
    assert comparable([teacher, student])
    gap = difference(flat, student)
    assert (gap.name, gap.grid) == ('student - teacher', GRID)
    torch.testing.assert_close(gap.bev, student.bev - 1)


def test_one_scale_and_one_set_of_colours() -> None:
    teacher, student = maps('teacher', scale=3), maps('student')
    same = ModelMaps('student', GRID, teacher.bev)
    drawn, said = panels(teacher, student)
    scales = [drawn[f'{name} BEV map, strength'].images[0].get_clim() for name in ('teacher', 'student')]
    assert scales[0] == scales[1]
    both = np.concatenate([channel_norm(each.bev) for each in (teacher, student)])
    np.testing.assert_allclose(scales[0], np.percentile(both, (1, 99)))
    assert 'equal colours are equal features' in said and 'student - teacher' in said
    drawn, _ = panels(teacher, same)
    colours = [drawn[f'{name} BEV map, PCA colours'].images[0].get_array() for name in ('teacher', 'student')]
    np.testing.assert_allclose(*colours)
    assert drawn['difference of the maps'].images[0].get_array().max() == 0


def test_maps_that_cannot_be_compared_have_their_own_scales() -> None:
    drawn, said = panels(maps('teacher', channels=6, scale=3), maps('student'))
    assert 'difference of the maps' not in drawn
    assert 'each has its own scale' in said
    assert not comparable([]) and not comparable([maps('student')])
    elsewhere = BEVGrid((0, 0, -5, 20, 10, 3), GRID.rows, GRID.cols)
    assert not comparable([maps('teacher', grid=elsewhere), maps('student')])


def test_pairs_stand_below_the_difference() -> None:
    pairs = MatchedPairs(np.zeros((1, 2)), np.ones((1, 2)), np.ones(1))
    drawn, said = panels(maps('teacher'), maps('student'), pairs=pairs)
    assert 'matched pairs (1 of 1 count)' in drawn and 'Pairs: ring' in said
    drawn, said = panels()
    assert list(drawn) == ['foreground mask, ground truth'] and said == ''


def heated(name: str, *logits: float, grid: BEVGrid = GRID) -> ModelMaps:
    """Maps with a logit for each class, the same in all cells but the first, which has the negative."""
    heatmap = torch.tensor(logits).view(-1, 1, 1).repeat(1, grid.rows, grid.cols)
    heatmap[:, 0, 0] *= -1
    return ModelMaps(name, grid, torch.randn(4, grid.rows, grid.cols), heatmap)


def predicted(*models: ModelMaps, foreground_of: str | None = None) -> Axes | None:
    """The panel of the predicted foreground alone, if there is one."""
    _, draw = _foreground(models, Frame('a'), GRID, foreground_of)
    axes = new_figure(2, 2).add_subplot()
    return None if draw is None else draw(axes) and axes


@pytest.mark.parametrize(('foreground_of', 'shown', 'best'), [
    (None, 'student', (2.0, 1.0)), ('teacher', 'teacher', (1.0, 0.0)), ('student', 'student', (2.0, 1.0)),
])  # fmt: skip
def test_the_foreground_of_the_last_model_or_the_one_that_is_asked_for(
    foreground_of: str | None, shown: str, best: tuple[float, float]
) -> None:
    """The likeliest class of a cell counts; the scale ends at the most."""
    models = heated('teacher', 0.0, 1.0, grid=COARSE), heated('student', -1.0, 2.0), maps('other')
    axes = predicted(*models, foreground_of=foreground_of)
    assert axes.get_title() == f'foreground that {shown} predicts'
    values, scores = np.asarray(axes.images[0].get_array()), torch.tensor(best).sigmoid().numpy()
    assert values.shape == ((COARSE.rows, COARSE.cols) if shown == 'teacher' else (GRID.rows, GRID.cols))
    np.testing.assert_allclose([values[1, 1], values[0, 0]], scores, atol=1e-6)
    np.testing.assert_allclose(axes.images[0].get_clim(), (0, scores[0]), atol=1e-6)


def test_a_weak_foreground_stays_dark_and_none_is_no_panel() -> None:
    weak = ModelMaps('weak', GRID, torch.ones(1, 10, 40), torch.full((1, 10, 40), -9.0))
    assert predicted(maps('other'), weak).images[0].get_clim() == (0, 0.1)
    others = predicted(maps('student')), predicted(heated('student', 1.0), foreground_of='teacher'), predicted()
    assert others == (None, None, None)


def test_one_sample_of_a_batch() -> None:
    bev, heatmap = (torch.randn(2, channels, 10, 40, requires_grad=True) for channels in (3, 1))
    outputs = SimpleNamespace(grid=GRID, bev=bev, heatmap=heatmap)
    taken = ModelMaps.from_outputs('teacher', outputs, 1)
    assert torch.equal(taken.bev, outputs.bev[1]) and torch.equal(taken.heatmap, outputs.heatmap[1])
    assert not taken.bev.requires_grad and not taken.heatmap.requires_grad and taken.grid is GRID
    outputs.heatmap = None
    assert ModelMaps.from_outputs('teacher', outputs).heatmap is None
