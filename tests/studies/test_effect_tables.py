"""The comparison with one base as tables and words: of effects made up by hand, and of computed ones."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bevdistill.studies import effect_tables
from bevdistill.studies.effects import Comparison, Effect, compare_with
from bevdistill.studies.results import Results, frame
from bevdistill.studies.variances import MeanSquare, Variances

Values = dict[str, dict[str, list[float]]]


def results(values: Values) -> Results:
    """Results of ``{row: {teacher: numbers}}``; seeds count on from teacher to teacher."""
    runs = [
        dict(row=row, seed=100 * place + seed, teacher=teacher, seconds=1.0, NDS=value)
        for row, cells in values.items() for place, (teacher, numbers) in enumerate(sorted(cells.items()))
        for seed, value in enumerate(numbers)
    ]  # fmt: skip
    return Results(frame(runs), {row: row.upper() for row in values})


NAN = math.nan
SPREAD = Variances(MeanSquare(0.0004, 6), MeanSquare(0.0011, 2), MeanSquare(), 2.0, 1)
"""Deviations: seeds 0.02, teachers sqrt(0.0011 - 0.0004 / 2) = 0.03, worlds unknown."""


def comparison(column: str, *effects: Effect, spread: Variances = SPREAD) -> Comparison:
    return Comparison(column, 'base', {effect.row: effect for effect in effects}, spread)


A = Effect('a', 0.0123, 0.005, 0.002, 0.0045, (4, 3), 2, 6.5)
B = Effect('b', -0.1, NAN, NAN, NAN, (1, 3), 1, 0.0)
NDS, MAP = comparison('NDS', A, B), comparison('mAP', replace(A, mean=0.5, p_all=0.00001, seeds=(9, 9)))
MADE = results(dict(base=dict(t=[0.0]), b=dict(t=[0.0]), a=dict(t=[0.0]), c=dict(t=[0.0])))


def test_cells_by_hand() -> None:
    """In the order of the rows; the base and a row without an effect are left out."""
    assert effect_tables.effect_cells(MADE, [NDS, MAP]) == [
        ['model', 'seeds', 'Δ NDS', 'p', 'Δ mAP', 'p'],
        ['B', '1 / 3', '-0.100', '-', '-', '-'],
        ['A', '4 / 3', '+0.012 [+0.007, +0.017]', '0.0045', '+0.500 [+0.495, +0.505]', '<0.0001'],
    ]
    other = comparison('mAP', replace(B, row='c'))
    assert effect_tables.effect_cells(MADE, [NDS, other])[-1] == ['C', '1 / 3', '-', '-', '-0.100', '-']
    assert effect_tables.effect_cells(MADE, [comparison('NDS')]) == [['model', 'seeds', 'Δ NDS', 'p']]


@pytest.mark.parametrize(('value', 'text'), [
    (0.00001, '<0.0001'), (0.0000999, '<0.0001'), (0.0001, '0.0001'), (0.01234, '0.012'), (0.5, '0.5'), (1.0, '1'),
])  # fmt: skip
def test_p_values(value: float, text: str) -> None:
    assert effect_tables.p_text(value) == text


def test_a_note_of_one_family() -> None:
    assert effect_tables.effect_note(MADE, [NDS, MAP], [['a', 'b']]).split('\n') == [
        'Δ: difference to `BASE`, each teacher with one weight, with 95 % intervals that hold together within a family,'
        ' and p by Dunnett; seeds of the row / of the base, which need not be the same ones. Variances are pooled over '
        'the rows; in the intervals are those between seeds and those by which a teacher or a world suits one row more '
        'than another.',
        'NDS, standard deviation between seeds 0.0200 (6 df), teachers 0.0300 (2 df), worlds unknown; 2 teachers, '
        '1 world.',
        'mAP, standard deviation between seeds 0.0200 (6 df), teachers 0.0300 (2 df), worlds unknown; 2 teachers, '
        '1 world.',
    ]


def test_a_note_of_two_families_and_of_no_effect() -> None:
    """A component that comes out negative is 0; nobody was compared."""
    spread = Variances(MeanSquare(0.0004, 1), MeanSquare(0.0001, 1), MeanSquare(0.01, 3), 1.0, 2)
    first, *families, last = effect_tables.effect_note(
        MADE, [comparison('NDS', spread=spread)], [['a'], ['b', 'c']]
    ).split('\n')
    assert ' and p by Dunnett and Holm over the families; seeds' in first
    assert families == ['Family 1: A.', 'Family 2: B; C.']
    assert last == (
        'NDS, standard deviation between seeds 0.0200 (1 df), teachers 0.0000 (1 df), worlds 0.1000 (3 df); '
        '0 teachers, 2 worlds.'
    )


def test_text_has_the_table_and_the_note() -> None:
    table, _, note = effect_tables.to_text(MADE, [NDS], [['a']]).partition('\n\n')
    header, *rows = table.split('\n')
    assert header.split() == ['model', 'seeds', 'Δ', 'NDS', 'p'] and rows[1].startswith('A ')
    assert note == effect_tables.effect_note(MADE, [NDS], [['a']])


def test_files_by_hand(tmp_path: Path) -> None:
    """Whole numbers of p and ends of intervals are in the CSV; what is unknown is empty."""
    files = effect_tables.save(MADE, [NDS, MAP], [['a', 'b']], tmp_path / 'new' / 'results')
    assert [file.name for file in files] == ['results_against.md', 'results_against.csv']
    markdown = files[0].read_text(encoding='utf-8')
    assert '| A | 4 / 3 | +0.012 [+0.007, +0.017] | 0.0045 |' in markdown
    assert '\n\nΔ: difference to `BASE`' in markdown and '\n\nNDS, standard deviation' in markdown
    lines = list(csv.DictReader(files[1].read_text(encoding='utf-8').splitlines()))
    assert [(line['model'], line['metric']) for line in lines] == [('B', 'NDS'), ('A', 'NDS'), ('A', 'mAP')]
    assert lines[1] == dict(
        model='A', base='BASE', metric='NDS', seeds='4', seeds_of_base='3', teachers='2', diff='0.0123', low='0.0073',
        high='0.0173', p_family='0.002', p='0.0045', df='6.5',
    )  # fmt: skip
    assert [lines[0][name] for name in ('diff', 'low', 'high', 'p_family', 'p')] == ['-0.1', '', '', '', '']


def test_table_and_note() -> None:
    values: Values = dict(base=dict(t=[0.30, 0.31]), a=dict(t=[0.40, 0.41]), b=dict(t=[0.20]), c=dict(u=[0.5]))
    made = results(values)
    families = [['a'], ['b', 'c']]
    comparison = compare_with(made, 'base', 'NDS', families)
    header, first, second = effect_tables.effect_cells(made, [comparison])
    assert header == ['model', 'seeds', 'Δ NDS', 'p']
    assert first[:2] == ['A', '2 / 2']
    assert first[2].startswith('+0.100 [+0.0')
    assert second[:2] == ['B', '1 / 2']
    note = effect_tables.effect_note(made, [comparison], families)
    parts = ('difference to `BASE`', 'Holm over the families', 'Family 2: B; C', '0.0071 (2 df)', '1 teacher, 1 world.')
    for words in parts:
        assert words in note
    assert effect_tables.p_text(0.00001) == '<0.0001'
    unknown = replace(comparison.effects['b'], half=math.nan)
    comparison.effects['b'] = unknown
    assert effect_tables.effect_cells(made, [comparison])[2][2:] == ['-0.105', '-']
