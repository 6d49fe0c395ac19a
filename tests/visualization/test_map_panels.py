import numpy as np
import torch

from bevdistill.structures import BEVGrid
from bevdistill.visualization.figures import new_figure
from bevdistill.visualization.frame import Frame
from bevdistill.visualization.map_panels import ModelMaps, comparable, difference, draw_maps
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
