"""The picture of a table: a panel per metric, one beside it for the differences."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from bevdistill.studies.plot import save_plot
from bevdistill.studies.results import Results, frame


def results(with_base: bool) -> Results:
    runs = [
        dict(row=row, seed=seed, seconds=math.nan, NDS=value + 0.01 * seed, mATE=1.0)
        for row, value in (('a', 0.1), ('b', 0.3)) for seed in range(3)
    ] + [dict(row='empty', seed=0, seconds=1.0)]  # fmt: skip
    return Results(frame(runs), dict(a='A', b='B', empty='none'), dict(b='a') if with_base else {})


@pytest.mark.parametrize('with_base', [False, True])
def test_panels_lines_and_points(tmp_path: Path, with_base: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, *a, **k: (figures.append(self), save(self, *a, **k))[1])
    save_plot(results(with_base), ('NDS', 'mATE', 'seconds'), tmp_path / 'deep' / 'a.png')
    assert imread(tmp_path / 'deep' / 'a.png').shape[2] == 4
    (figure,) = figures
    axes = figure.axes
    assert len(axes) == (4 if with_base else 2), 'seconds have no panel'
    assert axes[0].get_title().startswith('NDS (more is better)')
    assert axes[2 if with_base else 1].get_title().startswith('mATE (less is better)')
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ['A', 'B', 'none']
    # Per row of values: the seeds, the interval and the mean; the row without values has none.
    assert len(axes[0].lines) == 6
    if with_base:
        zero, seeds, _, mean = axes[1].lines
        assert list(zero.get_xdata()) == [0.0, 0.0]
        assert list(seeds.get_xdata()) == pytest.approx([0.2, 0.2, 0.2])
        assert list(mean.get_xdata()) == pytest.approx([0.2])
        assert axes[1].get_title().endswith('to A')


@pytest.mark.parametrize('title', ['A', 'distilled student (losses + teacher-head initialisation)'])
@pytest.mark.parametrize('with_base', [False, True])
def test_all_words_are_within_the_picture(
    tmp_path: Path, title: str, with_base: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, *a, **k: (figures.append(self), save(self, *a, **k))[1])
    drawn = results(with_base)
    drawn.titles['b'] = title
    save_plot(drawn, ('NDS', 'mATE'), tmp_path / 'a.png')
    (figure,) = figures
    figure.draw_without_rendering()
    right, top = figure.bbox.max
    for axis in figure.axes:
        for text in (axis.title, *axis.get_yticklabels()):
            place = text.get_window_extent()
            assert place.x0 >= -1 and place.x1 <= right + 1 and place.y1 <= top + 1, text.get_text()


def test_the_mean_of_one_seed_is_hollow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, *a, **k: (figures.append(self), save(self, *a, **k))[1])
    runs = [dict(row='a', seed=0, seconds=1.0, NDS=0.1)] + [dict(row='b', seed=s, seconds=1.0, NDS=0.2) for s in (0, 1)]
    save_plot(Results(frame(runs), dict(a='A', b='B')), ('NDS',), tmp_path / 'a.png')
    means = [line for line in figures[0].axes[0].lines if line.get_marker() == 'o' and line.get_markersize() == 6]
    assert [line.get_fillstyle() for line in means] == ['none', 'full']
