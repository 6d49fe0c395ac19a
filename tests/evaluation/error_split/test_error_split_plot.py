"""The picture of an error split: readable with one result and with a dozen."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from bevdistill.evaluation.error_split.match import Cameras, Outcome, Sample, match
from bevdistill.evaluation.error_split.plot import save_plot

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
    drawn: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path, **options: object) -> None:
        drawn.append(figure)
        save(figure, path, **options)

    monkeypatch.setattr(Figure, 'savefig', keep)
    names = [f'a result of seed {seed}' for seed in range(results)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # matplotlib warns where panels have no room
        save_plot({name: outcome(seed) for seed, name in enumerate(names)}, 0.2, (0, 10, 20, 30), tmp_path / 'a.png')
    (figure,) = drawn
    assert (tmp_path / 'a.png').read_bytes()[:4] == b'\x89PNG'
    assert all(axis.get_position().width > 0.3 and axis.get_position().height > 0.25 for axis in figure.axes)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
    assert len({str(line.get_color()) for line in legend.get_lines()}) == results
