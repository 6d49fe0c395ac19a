"""Precision over recall in a report: the curves that a test leaves at 2 m, and a chart of each class."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bevdistill.studies.report.precision import precision_charts, precision_of


def write(folder: Path, content: Any, age: int = 0) -> Path:
    """Write what a test leaves, so many seconds ago."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / 'metrics_details.json'
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    os.utime(file, (1e9 - age, 1e9 - age))
    return file


def curve(*precision: float) -> dict[str, list[float]]:
    return dict(recall=[step / 4 for step in range(len(precision))], precision=list(precision), confidence=[])


def test_the_curves_at_two_metres(tmp_path: Path) -> None:
    """A class whose name has a colon, none of the other distances."""
    content = {
        'car:0.5': curve(0), 'car:2.0': curve(1, 0.5), 'odd:name:2.0': curve(0.25), 'car:4.0': curve(0.75),
        'truck:12.0': curve(0.125), 'empty:2.0': curve(),
    }  # fmt: skip
    write(tmp_path / 'predictions' / 'pred_instances_3d', content)
    assert precision_of(tmp_path) == {'car': {0.0: 1.0, 0.25: 0.5}, 'odd:name': {0.0: 0.25}, 'empty': {}}


def test_the_newest_test_counts_and_none_is_no_curve(tmp_path: Path) -> None:
    assert precision_of(tmp_path) == {}
    write(tmp_path / 'a', {'car:2.0': curve(0.5)}, age=1)
    write(tmp_path / 'b', {'car:2.0': curve(0.25)}, age=2)
    assert precision_of(tmp_path) == {'car': {0.0: 0.5}}


@pytest.mark.parametrize('data', [
    3, {}, {'recall': [0.0]}, {'recall': [0.0], 'precision': [1.0, 0.5]}, {'recall': ['x'], 'precision': [1.0]},
    {'recall': [None], 'precision': [1.0]},
])  # fmt: skip
def test_a_damaged_curve_is_named(data: Any, tmp_path: Path) -> None:
    file = write(tmp_path, {'bus:2.0': data})
    with pytest.raises(ValueError) as error:
        precision_of(tmp_path)
    assert str(error.value).startswith(f'{file}: bus:2.0 has no recall and precision of one length (')


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, '{"car:2.0": {')
    with pytest.raises(ValueError, match=r'Test again with --keep-predictions') as error:
        precision_of(tmp_path)
    assert str(file) in str(error.value)


def test_a_chart_of_each_class_with_the_runs_that_have_it() -> None:
    """Axes are from 0 to 1, x from 46 to 330, y from 176 up to 10; a class that only the second has comes last."""
    first = {'big_van': {0.0: 1.0, 0.5: 0.5}}
    second = {'car': {0.0: 0.0}, 'big_van': {1.0: 0.0}}
    van, car = precision_charts([('old', 0, first), ('new', 3, second)])
    assert (van.title, car.title, van.x_label) == ('big van', 'car', 'recall')
    assert [line.path for line in van.lines] == ['M46 10L188 93', 'M330 176h0']
    assert [(line.style, line.words.partition(':')[0]) for line in van.lines] == [(0, 'old'), (3, 'new')]
    assert [(line.style, line.path) for line in car.lines] == [(3, 'M46 176h0')]
    assert [text for _, text in van.y_ticks] == ['0', '0.2', '0.4', '0.6', '0.8', '1']


def test_a_class_without_a_step_has_no_chart() -> None:
    assert precision_charts([('run', 0, {'car': {}})]) == precision_charts([]) == []
