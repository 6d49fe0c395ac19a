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


def test_limits_are_the_first_and_last_percent_unless_given() -> None:
    """Of 400 cells 0 to 399 the 1st percentile is 3.99; equal limits still leave a range."""
    values = np.arange(400.0).reshape(GRID.rows, GRID.cols)
    axes = new_figure(2, 2).add_subplot()
    image = draw_map(axes, GRID, values, 'a title')
    assert image.get_clim() == pytest.approx((3.99, 395.01)) and axes.get_title() == 'a title'
    assert image.get_extent() == pytest.approx([-20, 20, -10, 10]) and image.origin == 'lower'
    assert axes.get_xlim() == (-20, 20) and axes.get_ylim() == (-10, 10)
    low, high = draw_map(new_figure(2, 2).add_subplot(), GRID, values, '', limits=(5.0, 5.0)).get_clim()
    assert low == 5 and 5 < high < 5.001


@pytest.mark.parametrize(('values', 'colourbar', 'bars'), [
    (np.zeros((10, 40)), True, 1), (np.zeros((10, 40)), False, 0), (np.zeros((10, 40, 3)), True, 0),
])  # fmt: skip
def test_numbers_have_a_scale_and_colours_none(values: np.ndarray, colourbar: bool, bars: int) -> None:
    axes = new_figure(2, 2).add_subplot()
    draw_map(axes, GRID, values, '', box_set([]), colourbar=colourbar, limits=(0, 1))
    assert len(axes.child_axes) == bars and not axes.collections, 'no box has no outline'


def test_colours_by_hand() -> None:
    """Cells differ along (3, 4) / 5 alone: red goes from 0 to 1 with it, green and blue are constant."""
    steps = torch.linspace(-1, 1, 101)
    feat_CHW = torch.stack((10 - 3 * steps, 20 - 4 * steps)).view(2, 1, 101)
    fitted = PrincipalColours.fit(feat_CHW)
    np.testing.assert_allclose(fitted.mean, [10, 20], atol=1e-5)
    np.testing.assert_allclose(fitted.basis[:, 0], [0.6, 0.8], atol=1e-6, err_msg='its largest weight is positive')
    assert not fitted.basis[:, 2].any(), 'two channels have two directions'
    np.testing.assert_allclose([fitted.low[0], fitted.high[0]], [-4.8, 4.8], atol=1e-4)
    red = fitted.paint(feat_CHW)[0, :, 0]
    assert red[50] == pytest.approx(0.5, abs=1e-4) and (red[:3] == 1).all() and (red[-3:] == 0).all()
    assert red[25] == pytest.approx((2.5 + 4.8) / 9.6, abs=1e-4)
    beyond = fitted.paint(torch.tensor([[[100.0]], [[100.0]]]))
    assert beyond[0, 0, 0] == 1, 'what lies beyond the fitted map is cut'
