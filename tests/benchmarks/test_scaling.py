"""How time grows: fits of known series, an axis of made-up times, the picture."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.figure import Figure

import bevdistill.visualization
from benchmarks import scaling
from benchmarks.scaling import Fit, measure_scaling, plot_scaling


def test_fits_find_known_series() -> None:
    sizes = [1, 2, 4, 8]
    fit = Fit.of(sizes, [0.5 * size**1.5 for size in sizes])
    assert fit.exponent == pytest.approx(1.5)
    assert fit.factor == pytest.approx(0.5)
    fit = Fit.of(sizes, [2.0 + 3.0 * size for size in sizes])
    assert fit.fixed == pytest.approx(2.0)
    assert fit.each == pytest.approx(3.0)
    assert 0.5 < fit.exponent < 1


@pytest.mark.parametrize(('sizes', 'seconds'), [([1], [1.0]), ([2, 2], [1.0, 1.0]), ([1, 2], [0.0, 1.0])])
def test_fits_refuse(sizes: list[int], seconds: list[float]) -> None:
    with pytest.raises(ValueError, match='two sizes or more with positive seconds'):
        Fit.of(sizes, seconds)


def test_a_fit_weighs_relative_errors() -> None:
    """Of 1.1, 1.9 and 4 s at sizes 1, 2, 4: least squares of (fixed + each * size - s) / s, by the normal equations."""
    sizes, seconds = [1.0, 2.0, 4.0], [1.1, 1.9, 4.0]
    fit = Fit.of(sizes, seconds)
    rows = [(1 / s, size / s) for size, s in zip(sizes, seconds, strict=True)]
    a, b, c = (sum(x[i] * x[j] for x in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    y0, y1 = sum(x[0] for x in rows), sum(x[1] for x in rows)
    assert fit.fixed == pytest.approx((c * y0 - b * y1) / (a * c - b * b))
    assert fit.each == pytest.approx((a * y1 - b * y0) / (a * c - b * b))


@pytest.mark.parametrize(('exponent', 'as_expected'), [(1.0, True), (1.149, True), (1.151, False), (0.5, True)])
def test_an_axis_is_as_expected_up_to_its_tolerance(
    exponent: float, as_expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three repeats, of which the median follows the law."""
    asked: list[dict[str, int]] = []

    def alternate(sides: dict[str, Any], **options: int) -> dict[str, list[float]]:
        asked.append(options)
        return {size: [9.0, 0.1 * int(size) ** exponent, 0.0001] for size in sides}

    sides = dict.fromkeys((1, 2, 8), lambda: None)
    monkeypatch.setattr(scaling, 'AXES', (lambda settings: ('cells', 'encoder', sides),) * 2)
    first, second = measure_scaling(SimpleNamespace(alternate=alternate))['scaling']
    assert first == second and asked == [dict(extra=1, slower=2, parts=2)] * 2
    assert (first['name'], first['what'], first['sizes'], first['order']) == ('cells', 'encoder', [1, 2, 8], 1.0)
    assert first['exponent'] == pytest.approx(exponent) and first['as_expected'] == as_expected
    assert first['factor'] == pytest.approx(0.1)
    assert [row['median'] for row in first['seconds']] == pytest.approx([0.1 * size**exponent for size in (1, 2, 8)])


def test_the_picture_has_what_was_measured_and_both_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(
        bevdistill.visualization, 'save_figure', lambda figure, path: drawn.append(figure), raising=False
    )
    row = dict(
        name='cells', what='encoder', sizes=[1, 4], exponent=0.5, factor=2.0, order=1.0,
        seconds=[dict(median=2.0, low=1.0, high=2.5), dict(median=4.0, low=3.5, high=6.0)],
    )  # fmt: skip
    plot_scaling([row, row | dict(name='frames')], Path('unused.png'))
    axes, other = drawn[0].axes
    measured, fit, expected = (list(line.get_ydata()) for line in axes.get_lines()[:1] + axes.get_lines()[-2:])
    assert measured == [2, 4] and fit == pytest.approx([2, 4]) and expected == pytest.approx([1, 4])
    (bars,) = (container for container in axes.containers if container.has_yerr)
    assert [segment[:, 1].tolist() for segment in bars[2][0].get_segments()] == [[1, 2.5], [3.5, 6]]
    assert (axes.get_xlabel(), other.get_xlabel(), axes.get_ylabel()) == ('cells', 'frames', 'seconds')
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        'fit: exponent 0.50', 'expected: exponent 1', 'measured, quartiles'
    ]  # fmt: skip
    assert [text.get_text() for text in axes.get_xticklabels()] == ['1', '4']
    assert axes.get_xscale() == axes.get_yscale() == 'log' and len(drawn) == 1
