"""Paired differences, their intervals and the tables, with numbers worked out by hand."""

from __future__ import annotations

import csv
import math

import pandas as pd
import pytest

from bevdistill.studies.results import Results, frame
from bevdistill.studies.tables import cell, difference_cell, seeds_csv, table_cells, to_csv, to_markdown, to_text

T2 = 4.30265
"""t(0.975) of 2 degrees of freedom, from a printed table."""


def results(*seeds_of_base: int) -> Results:
    """A base of 0.10, 0.12, 0.11 NDS and a row of 0.13, 0.14, 0.15 with the seeds 0, 1, 2; the base unordered."""
    values = {2: 0.11, 0: 0.10, 1: 0.12}
    runs = [
        dict(row='base', seed=seed, seconds=60.0 if seed == 1 else math.nan, NDS=values[seed])
        for seed in seeds_of_base or values
    ]
    runs += [dict(row='row', seed=seed, seconds=math.nan, NDS=0.13 + 0.01 * seed) for seed in range(3)]
    return Results(frame(runs), dict(base='base', row='row'), dict(row='base'))


def test_differences_as_text() -> None:
    """Differences 0.03, 0.02, 0.04: the base itself, and a row alone, have none."""
    assert difference_cell(results(), 'row', 'NDS') == '+0.030 [+0.005, +0.055]'
    assert difference_cell(results(), 'base', 'NDS') == '-'
    assert difference_cell(results(2, 0), 'row', 'NDS').endswith('(2 pairs)')
    assert difference_cell(results(2), 'row', 'NDS') == '+0.040'
    alone = results()
    alone.runs = alone.runs[alone.runs['row'] == 'row']
    assert difference_cell(alone, 'row', 'NDS') == '-'


def test_cells_of_means_and_spreads() -> None:
    runs = [dict(row='a', seed=seed, seconds=1.0, mATE=value) for seed, value in enumerate((1.0, 1.1, 1.2))]
    found = Results(frame(runs), dict(a='a'))
    assert [cell(found, 'a', column) for column in ('mATE', 'NDS', 'seconds')] == ['1.100 ± 0.100', '-', '1 ± 0']


def test_tables_and_csv() -> None:
    found = results()
    text = to_markdown(found, ('NDS', 'seconds'))
    assert text.splitlines()[0] == '| model | seeds | NDS | Δ NDS | seconds |'
    assert text.splitlines()[3] == '| row | 3 | 0.140 ± 0.010 | +0.030 [+0.005, +0.055] | - |'
    assert 'mean difference to `base`, seed by seed, with its 95 % interval' in text
    summary = list(csv.DictReader(to_csv(found, ('NDS',)).splitlines()))
    assert summary[1]['base'] == 'base'
    assert float(summary[1]['NDS_diff']) == pytest.approx(0.03)
    assert float(summary[1]['NDS_diff_low']) == pytest.approx(0.03 - T2 * 0.01 / math.sqrt(3), rel=1e-4)
    assert (summary[0]['NDS_diff'], summary[1]['NDS_pairs']) == ('', '3')
    each = list(csv.DictReader(seeds_csv(found, ('NDS',)).splitlines()))
    assert [(line['model'], line['seed']) for line in each][3:] == [('row', '0'), ('row', '1'), ('row', '2')]
    assert [float(line['NDS_diff']) for line in each[3:]] == pytest.approx([0.03, 0.02, 0.04])
    assert each[0]['NDS_diff'] == ''


def test_one_seed_each_has_no_interval_and_says_so() -> None:
    one = results()
    one.runs = one.runs[one.runs['seed'] == 0]
    text = to_markdown(one, ('NDS',))
    assert '| row | 0.130 | +0.030 |' in text
    assert text.endswith(
        '\nOne seed each, so without spread and interval: runs of one config differ too. Δ: difference to `base`.\n'
    )
    assert 'One seed' not in to_markdown(results(2), ('NDS',)), 'the row has three'


def test_text_is_aligned_with_names_to_the_left() -> None:
    header, base, row = to_text(results(), ('NDS',)).splitlines()
    assert header.split() == ['model', 'seeds', 'NDS', 'Δ', 'NDS']
    assert base.startswith('base ')
    assert row.startswith('row  ')
    assert len(base) == len(row) == len(header)


def test_two_bases_are_told_apart() -> None:
    found = results()
    found.runs = pd.concat([found.runs, found.runs[found.runs['row'] == 'row'].assign(row='other')])
    both = Results(found.runs, dict(base='base', row='row', other='other'), dict(row='base', other='row'))
    header, *body = table_cells(both, ('NDS',))
    assert header == ['model', 'seeds', 'base', 'NDS', 'Δ NDS']
    assert [line[2] for line in body] == ['-', 'base', 'row']


def test_a_base_outside_the_table_is_still_compared_with() -> None:
    found = results()
    found.rows = ['row']
    header, line = table_cells(found, ('NDS',))
    assert header == ['model', 'seeds', 'NDS', 'Δ NDS']
    assert line == ['row', '3', '0.140 ± 0.010', '+0.030 [+0.005, +0.055]']


def test_other_seeds_are_said() -> None:
    assert 'different seeds' not in to_markdown(results(), ('NDS',))
    text = to_markdown(results(2, 0), ('NDS',))
    assert text.endswith('same runs: 0 + 2 (1 row), 0-2 (1 row).\n')


def test_errors_are_sorted_least_first() -> None:
    runs = [dict(row='first', seed=0, seconds=5.0, mATE=0.9), dict(row='second', seed=0, seconds=9.0, mATE=0.2)]
    runs += [dict(row='third', seed=0, seconds=math.nan)]
    found = Results(frame(runs), dict(third='third', first='first', second='second'))
    assert found.sorted_by('mATE').rows == ['second', 'first', 'third']
    assert found.sorted_by('seconds').rows == ['first', 'second', 'third']
    assert found.sorted_by(None).rows == ['third', 'first', 'second']
    with pytest.raises(ValueError, match=r"^--sort: no run has 'mAP'; (did you mean|there are)"):
        found.sorted_by('mAP')
