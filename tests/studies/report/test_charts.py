"""Lines of charts as paths: against places worked out by hand; gaps, single values, many values, words."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from bevdistill.studies.report.charts import MOST_POINTS, Series, curve_charts, line_chart
from bevdistill.studies.report.page import style_of


def test_places_of_a_line() -> None:
    """x from 46 to 330, y from 176 up to 10, limits 0 to 1 on both."""
    chart = line_chart('a', [Series('run', 3, {0.0: 0.0, 0.5: 1.0, 1.0: 0.25})], 'recall', unit=(0.0, 1.0))
    assert chart is not None
    assert chart.lines[0].path == 'M46 176L188 10L330 134.5'
    assert chart.x_ticks == [(46.0, '0'), (102.8, '0.2'), (159.6, '0.4'), (216.4, '0.6'), (273.2, '0.8'), (330.0, '1')]
    assert [text for _, text in chart.y_ticks] == [text for _, text in chart.x_ticks]
    assert (chart.lines[0].style, chart.gone, chart.lines[0].words) == (3, '', 'run: from 0 at 0 to 0.25 at 1')


def test_limits_are_those_of_all_lines() -> None:
    chart = line_chart('a', [Series('r', 0, {10: 3.0, 20: 4.0}), Series('s', 1, {30: 7.0})], 'iteration')
    assert chart is not None
    assert [text for _, text in chart.y_ticks] == ['3', '4', '5', '6', '7']
    assert chart.lines[0].path == 'M46 176L188 134.5'
    assert chart.lines[1].path == 'M330 10h0'
    assert chart.lines[1].words == 's: 7 at 30'


def test_values_that_are_not_finite_are_gaps_with_marks() -> None:
    values = {10: 1.0, 20: math.nan, 30: 2.0, 40: 3.0, 50: math.inf, 60: -1e300}
    chart = line_chart('a', [Series('run', 0, values)], 'iteration')
    assert chart is not None
    line = chart.lines[0]
    assert line.path.startswith('M46 176h0M') and line.path.count('M') == 2
    assert line.lost == [103, 273, 330]
    assert chart.gone == 'Not a finite number: run at 20, 50, 60.'
    nothing = line_chart('a', [Series('run', 0, dict.fromkeys(range(5), math.nan))], 'iteration')
    assert nothing is not None and nothing.lines[0].path == ''
    assert nothing.gone == 'Not a finite number: run at 0, 1, 2 and 2 more.'
    assert nothing.lines[0].words == 'run: no finite value'


@pytest.mark.parametrize('value', [0.0, 5.0, -1e-8, 1e90])
def test_one_value_and_a_flat_line_have_limits(value: float) -> None:
    for values in ({7: value}, {7: value, 8: value}):
        chart = line_chart('a', [Series('run', 0, values)], 'iteration')
        assert chart is not None
        height = float(chart.lines[0].path.split('L')[0].split('h')[0].split(' ')[1])
        assert 10 < height < 176 and len(chart.y_ticks) >= 2


def test_many_values_are_averaged_in_groups() -> None:
    count = 4 * MOST_POINTS
    values = {step: math.nan if step in (0, 4, 5, 6, 7) else float(step % 4) for step in range(count)}
    chart = line_chart('a', [Series('run', 0, values)], 'iteration')
    assert chart is not None
    line = chart.lines[0]
    assert line.path.count('L') + line.path.count('M') == MOST_POINTS - 1
    assert line.path.startswith('M46.4 65.3h0M')  # The mean of 1, 2, 3, then a group without any.
    assert line.lost == [46, 47, 48] and 'run at 0, 4, 5 and 2 more' in chart.gone


def test_a_chart_per_term_with_the_runs_that_have_it() -> None:
    runs = [('r', 0, {'a': {1: 1.0}, 'b': {1: 2.0}}), ('s', 1, {'b': {2: 2.0}}), ('t', 2, {'b': {}})]
    charts = curve_charts({'b': 'About b.', 'a': '', 'c': ''}, runs, 'epoch')
    assert [(chart.title, chart.note, [line.style for line in chart.lines]) for chart in charts] == [
        ('b', 'About b.', [0, 1]), ('a', '', [0]),
    ]  # fmt: skip


def test_no_two_of_many_lines_look_alike() -> None:
    styles = [style_of(place).split() for place in range(32)]
    assert len(set(map(tuple, styles))) == 32
    assert all(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(styles[:8]))
