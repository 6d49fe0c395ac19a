"""The picture of an error split: readable with one result and with a dozen."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from drawn import drawn, lines, texts  # noqa: F401
from matplotlib.figure import Figure

from bevdistill.evaluation.error_split.match import Cameras, Outcome, Sample, match
from bevdistill.evaluation.error_split.plot import THRESHOLDS, save_plot

CAMERA = Cameras(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]))


def outcome(seed: int) -> Outcome:
    """Twenty objects, a prediction near each."""
    draw = np.random.default_rng(seed)
    truth, label = draw.uniform(-20, 20, (20, 2)), np.zeros(20, dtype=np.int64)
    predicted = truth + draw.normal(0, 0.5, truth.shape)
    return match(
        Sample(truth, label, np.hypot(*truth.T), predicted, label, draw.uniform(0.2, 1, len(truth)), CAMERA)
    )


@pytest.mark.parametrize('results', [1, 5, 12])
def test_every_panel_has_room_and_every_result_one_name_and_colour(
    results: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path, **options: object) -> None:
        saved.append(figure)
        save(figure, path, dpi=20)

    monkeypatch.setattr(Figure, 'savefig', keep)
    names = [f'a result of seed {seed}' for seed in range(results)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # matplotlib warns where panels have no room
        save_plot({name: outcome(seed) for seed, name in enumerate(names)}, 0.2, (0, 10, 20, 30), tmp_path / 'a.png')
    (figure,) = saved
    assert (tmp_path / 'a.png').read_bytes()[:4] == b'\x89PNG'
    assert all(axis.get_position().width > 0.3 and axis.get_position().height > 0.25 for axis in figure.axes)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    assert len({str(line.get_color()) for line in legend.get_lines()}) == results


def objects(*rows: tuple[float, float, float, str]) -> Outcome:
    """Objects straight ahead as distance, error along the ray, score; the word says whether the class is right."""
    x = np.array([row[0] for row in rows])
    places, labels = np.stack((x, 0 * x), axis=1), np.zeros(len(rows), dtype=np.int64)
    predicted = places + np.array([[row[1], 0.25] for row in rows])
    found = np.array([0 if row[3] == 'right' else 1 for row in rows])
    return match(Sample(places, labels, x, predicted, found, np.array([row[2] for row in rows]), CAMERA))


BEFORE = objects((5, -1, 0.9, 'right'), (10, 2, 0.4, 'right'), (30, 3, 0.1, 'right'), (60, 0, 0.9, 'wrong'))
AFTER = objects((5, 0.5, 0.9, 'right'), (10, 1, 0.4, 'right'), (30, 2, 0.9, 'right'), (60, 0, 0.5, 'right'))


def test_panels_by_hand(tmp_path: Path, drawn: list[Figure]) -> None:  # noqa: F811
    """At 0.2: of four objects `before` finds two and sees one in a wrong class, `after` finds all."""
    save_plot(dict(before=BEFORE, after=AFTER), 0.2, (0, 10, 40), tmp_path / 'new' / 'a.png')
    shares, errors, scores, spread = drawn[0].axes
    widths = [[bar.get_width() for bar in bars] for bars in shares.containers]
    assert widths == [[0.5, 1.0], [0.25, 0.0], [0.25, 0.0]]
    assert [[bar.get_x() for bar in bars] for bars in shares.containers] == [[0, 0], [0.5, 1], [0.75, 1]]
    assert texts(shares) == ['50 %', '100 %', '25 %', '25 %'], 'nothing on bars without width'
    assert [label.get_text() for label in shares.get_yticklabels()] == ['before', 'after']
    assert shares.yaxis_inverted() and shares.get_title() == 'objects, score of at least 0.2'
    # An object at 10 m belongs to the second of the distances, whose middles are 5 m and 25 m; one at 60 m to none.
    assert lines(errors) == [
        ([5, 25], pytest.approx([1, 2])), ([5, 25], pytest.approx([0.25, 0.25])),
        ([5, 25], pytest.approx([0.5, 1.5])), ([5, 25], pytest.approx([0.25, 0.25])),
    ]  # fmt: skip
    assert errors.get_ylim()[0] == 0
    # Found at each threshold: the score of 0.4 counts at 0.4, not at 0.45; the one of 0.1 only at 0.05 and 0.1.
    found = lines(scores)[0]
    assert found[0] == list(THRESHOLDS) and found[0][0] == pytest.approx(0.05) and found[0][-1] == pytest.approx(0.65)
    assert found[1][0] == 0.75 and found[1][-1] == 0.25
    assert [lines(scores)[place][1][-1] for place in (1, 2, 3)] == [0, 0.5, 0], 'duplicates, confused, background'
    assert spread.get_title() == '2 objects that all found: quartiles, 5 to 95 %'
    assert [label.get_text() for label in spread.get_yticklabels()] == [
        'before: depth', 'lateral', 'after: depth', 'lateral'
    ]  # fmt: skip
    medians = [line for line in lines(spread) if len(line[0]) == 1]
    assert [line[0][0] for line in medians] == pytest.approx([0.5, 0.25, 0.75, 0.25])
    assert [line[1][0] for line in medians] == [0, 1, 2, 3]
    ranges = [part.get_segments()[0][:, 0].tolist() for part in spread.collections]
    assert ranges[:2] == [pytest.approx([-0.85, 1.85]), pytest.approx([-0.25, 1.25])], 'of -1 and 2'


def test_nothing_found_has_no_spread(tmp_path: Path, drawn: list[Figure]) -> None:  # noqa: F811
    save_plot(dict(one=objects((5, 0, 0.1, 'right'))), 0.2, (0, 10), tmp_path / 'a.png')
    spread = drawn[0].axes[3]
    assert spread.get_title() == '0 objects that were found: quartiles, 5 to 95 %'
    assert [label.get_text() for label in spread.get_yticklabels()] == ['one: depth', 'lateral']
    assert not spread.collections
