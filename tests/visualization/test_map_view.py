import numpy as np
import pytest
import torch

from bevdistill.visualization.figures import new_figure
from bevdistill.visualization.map_view import PrincipalColours, channel_norm, draw_map

from .helpers import GRID, box_set, pixels_of


def test_channel_norm_against_loops() -> None:
    feat_CHW = torch.randn(3, 2, 4)
    norm = channel_norm(feat_CHW)
    for row in range(2):
        for col in range(4):
            want = (sum(float(feat_CHW[c, row, col]) ** 2 for c in range(3)) / 3) ** 0.5
            assert norm[row, col] == pytest.approx(want, rel=1e-5)


def test_map_cell_appears_where_the_grid_says() -> None:
    col, row = (int(value) for value in GRID.to_cells(torch.tensor([-15.0, 7.0])).floor())
    values = np.zeros((GRID.rows, GRID.cols))
    values[row, col] = 1.0
    figure = new_figure(4, 2, dpi=100)
    draw_map(figure.add_axes((0, 0, 1, 1)), GRID, values, '', cmap='gray', limits=(0, 1), colourbar=False)
    rows, cols = np.nonzero(pixels_of(figure)[..., 0] > 128)
    # 400 x 200 pixels for 40 x 20 m; the cell covers x -15 .. -14 and y 6 .. 8.
    assert abs(cols.mean() - 54.5) < 1.5
    assert abs(rows.mean() - 29.5) < 1.5


def test_principal_colours_separate_two_kinds_of_cells() -> None:
    feat_CHW = 0.01 * torch.randn(8, 4, 6)
    feat_CHW[:, :, 3:] += torch.arange(8.0)[:, None, None]
    fitted = PrincipalColours.fit(feat_CHW)
    painted = fitted.paint(feat_CHW)
    assert painted.shape == (4, 6, 3)
    assert painted.min() >= 0 and painted.max() <= 1
    assert abs(painted[:, :3, 0].mean() - painted[:, 3:, 0].mean()) > 0.9
    np.testing.assert_array_equal(painted, PrincipalColours.fit(feat_CHW).paint(feat_CHW))


def test_colours_of_one_map_paint_another() -> None:
    fitted = PrincipalColours.fit(torch.randn(8, 4, 6))
    assert fitted.paint(torch.randn(8, 2, 3)).shape == (2, 3, 3)
    with pytest.raises(ValueError, match='fitted to 8 channels cannot paint a map of 5'):
        fitted.paint(torch.randn(5, 2, 3))


@pytest.mark.parametrize('channels', [1, 2])
def test_fewer_than_three_channels(channels: int) -> None:
    feat_CHW = torch.randn(channels, 4, 6)
    assert np.isfinite(PrincipalColours.fit(feat_CHW).paint(feat_CHW)).all()


def test_constant_map_and_outlines() -> None:
    axes = new_figure(2, 2).add_subplot()
    image = draw_map(axes, GRID, np.zeros((GRID.rows, GRID.cols)), 'mask', box_set([[0, 0, 0, 1, 1, 1, 0]]))
    assert image.get_clim()[0] < image.get_clim()[1]
    assert len(axes.collections) == 2


def test_refuses_what_is_no_map_of_the_grid() -> None:
    with pytest.raises(ValueError, match=r'must be \(C, H, W\), got \(1, 2, 3, 4\)'):
        channel_norm(torch.zeros(1, 2, 3, 4))
    with pytest.raises(ValueError, match='does not fit a grid of 10 rows x 40 columns'):
        draw_map(new_figure(1, 1).add_subplot(), GRID, np.zeros((40, 10)), '')
