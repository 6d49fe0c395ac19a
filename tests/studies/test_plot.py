"""The pictures of a table: one per metric, means at the left, differences at the right."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from bevdistill.studies.effects import compare_with
from bevdistill.studies.plot import save_plots
from bevdistill.studies.results import Results, frame


def results(with_base: bool) -> Results:
    runs = [
        dict(row=row, seed=seed, seconds=math.nan, NDS=value + 0.01 * seed, mATE=1.0)
        for row, value in (('a', 0.1), ('b', 0.3)) for seed in range(3)
    ] + [dict(row='empty', seed=0, seconds=1.0)]  # fmt: skip
    return Results(frame(runs), dict(a='A', b='B', empty='none'), dict(b='a') if with_base else {})


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    found: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, *a, **k: (found.append(self), save(self, *a, **k))[1])
    return found


@pytest.mark.parametrize('with_base', [False, True])
def test_panels_lines_and_points(tmp_path: Path, with_base: bool, figures: list[Figure]) -> None:
    paths = save_plots(results(with_base), ('NDS', 'mATE', 'seconds'), tmp_path / 'deep' / 'a')
    assert [path.name for path in paths] == ['a_NDS.png', 'a_mATE.png'], 'seconds have none'
    assert imread(paths[0]).shape[2] == 4
    nds, mate = figures
    assert len(nds.axes) == (2 if with_base else 1)
    assert nds.axes[0].get_title().startswith('NDS (more is better)')
    assert mate.axes[0].get_title().startswith('mATE (less is better)')
    assert [label.get_text() for label in nds.axes[0].get_yticklabels()] == ['A', 'B', 'none']
    # Per row of values: the seeds, the interval and the mean; the row without values has none.
    assert len(nds.axes[0].lines) == 6
    if with_base:
        seeds, _, mean, zero = nds.axes[1].lines
        assert list(zero.get_xdata()) == [0.0, 0.0]
        assert list(seeds.get_xdata()) == pytest.approx([0.2, 0.2, 0.2])
        assert list(mean.get_xdata()) == pytest.approx([0.2])
        assert nds.axes[1].get_title().startswith('Δ NDS to A\n')


def test_the_base_of_a_comparison_is_in_the_title_and_rows_of_one_seed_are_hollow(
    tmp_path: Path, figures: list[Figure]
) -> None:
    runs = [dict(row=row, seed=s, seconds=1.0, NDS=0.1 * s) for row, n in (('a', 2), ('b', 1)) for s in range(n)]
    made = Results(frame(runs), dict(a='the base', b='B'))
    comparison = compare_with(made, 'a', 'NDS', [['b']])
    save_plots(made, ('NDS',), tmp_path / 'a', [comparison])
    means, differences = figures[0].axes
    assert differences.get_title().startswith('Δ NDS to the base\n')
    faces, effects = (
        [line for line in axis.lines if line.get_marker() == 'o' and line.get_markersize() == 6]
        for axis in (means, differences)
    )
    assert [line.get_markerfacecolor() == 'white' for line in faces] == [False, True]
    (interval,) = [line for line in differences.lines if line.get_linewidth() == 2]
    assert list(interval.get_xdata()) == pytest.approx(list(comparison.effects['b'].interval))
    assert [line.get_markerfacecolor() for line in effects] == ['white']


def test_rows_with_bases_of_their_own_name_them(tmp_path: Path, figures: list[Figure]) -> None:
    runs = [dict(row=row, seed=0, seconds=1.0, NDS=0.1) for row in 'abc']
    save_plots(Results(frame(runs), dict(a='A', b='B', c='C'), dict(b='a', c='b')), ('NDS',), tmp_path / 'a')
    differences = figures[0].axes[1]
    assert [label.get_text() for label in differences.get_yticklabels()] == ['', 'to A', 'to B']
    assert 'to the base of each row' in differences.get_title()


@pytest.mark.parametrize('count', [1, 60])
def test_all_words_are_within_a_picture_that_fits_on_a_screen(
    tmp_path: Path, count: int, figures: list[Figure]
) -> None:
    title = 'distilled student (losses + teacher-head initialisation)'
    runs = [dict(row=f'r{n}', seed=seed, seconds=1.0, NDS=0.1 * seed) for n in range(count) for seed in (0, 1)]
    made = Results(frame(runs), {f'r{n}': f'{title} {n}' for n in range(count)}, {'r0': f'r{count - 1}'})
    save_plots(made, ('NDS',), tmp_path / 'a')
    (figure,) = figures
    assert imread(tmp_path / 'a_NDS.png').shape[0] <= 1000
    figure.draw_without_rendering()
    right, top = figure.bbox.max
    for axis in figure.axes:
        for text in (axis.title, *axis.get_yticklabels()):
            place = text.get_window_extent()
            assert place.x0 >= -1 and place.x1 <= right + 1 and place.y1 <= top + 1, text.get_text()
    names = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in itertools.pairwise(names)), 'no two overlap'
