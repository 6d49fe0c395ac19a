"""Paired differences, their intervals and the files of compare.py, with numbers worked out by hand."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.analysis_tools import compare
from tools.analysis_tools.compare_runs import Row, Run, read_all_metrics
from tools.analysis_tools.compare_stats import half_width, paired_difference
from tools.analysis_tools.compare_tables import seeds_csv

# t(0.975) of 1 and 2 degrees of freedom, from a printed table.
T1, T2 = 12.7062, 4.30265


def rows() -> tuple[Row, Row]:
    """A base of 0.10, 0.12, 0.11 NDS and a row of 0.13, 0.14, 0.15 with the seeds 0, 1, 2; the base unordered."""
    base = Row('base', [Run({'NDS': 0.11}, seed=2), Run({'NDS': 0.10}, seed=0), Run({'NDS': 0.12}, 60.0, seed=1)])
    row = Row('row', [Run({'NDS': 0.13 + 0.01 * seed}, seed=seed) for seed in range(3)], base=base)
    return base, row


def test_difference_and_interval_by_hand() -> None:
    base, row = rows()
    # Differences 0.03, 0.02, 0.04: mean 0.03, sample standard deviation 0.01.
    found = paired_difference(row, base, 'NDS')
    assert found.pairs == 3
    assert found.mean == pytest.approx(0.03)
    assert found.half == pytest.approx(T2 * 0.01 / math.sqrt(3), rel=1e-5)
    assert compare.difference_cell(row, 'NDS') == '+0.030 [+0.005, +0.055]'
    assert compare.difference_cell(base, 'NDS') == '-'


def test_only_seeds_of_both_count() -> None:
    base, row = rows()
    base.runs.pop()  # seed 1
    # Left: 0.03 of seed 0 and 0.04 of seed 2; standard deviation 0.01 / sqrt(2).
    found = paired_difference(row, base, 'NDS')
    assert (found.pairs, found.mean) == (2, pytest.approx(0.035))
    assert found.half == pytest.approx(T1 * 0.01 / 2, rel=1e-5)
    assert compare.difference_cell(row, 'NDS').endswith('(2 pairs)')
    base.runs.pop()
    assert compare.difference_cell(row, 'NDS') == '+0.040'
    base.runs.pop()
    assert compare.difference_cell(row, 'NDS') == '-'


def test_runs_without_a_seed_are_no_pairs() -> None:
    base, row = Row('base', [Run({'NDS': 0.1})]), Row('row', [Run({'NDS': 0.2})])
    row.base = base
    assert paired_difference(row, base, 'NDS').pairs == 0
    assert math.isnan(half_width(0.1, 1))


def test_tables_and_csv(tmp_path: Path) -> None:
    base, row = rows()
    text = compare.to_markdown([base, row], ('NDS', 'seconds'))
    assert text.splitlines()[0] == '| model | seeds | NDS | Δ NDS | seconds |'
    assert text.splitlines()[3] == '| row | 3 | 0.140 ± 0.010 | +0.030 [+0.005, +0.055] | - |'
    assert 'mean difference to `base`, seed by seed, with its 95 % interval' in text
    summary = list(csv.DictReader(compare.to_csv([base, row], ('NDS',)).splitlines()))
    assert summary[1]['base'] == 'base' and float(summary[1]['NDS_diff']) == pytest.approx(0.03)
    assert float(summary[1]['NDS_diff_low']) == pytest.approx(0.03 - T2 * 0.01 / math.sqrt(3), rel=1e-4)
    assert summary[0]['NDS_diff'] == '' and summary[1]['NDS_pairs'] == '3'
    each = list(csv.DictReader(seeds_csv([base, row], ('NDS',)).splitlines()))
    assert [(line['model'], line['seed']) for line in each][3:] == [('row', '0'), ('row', '1'), ('row', '2')]
    assert [float(line['NDS_diff']) for line in each[3:]] == pytest.approx([0.03, 0.02, 0.04])


def test_two_bases_are_told_apart() -> None:
    base, row = rows()
    other = Row('other', list(row.runs), base=row)
    header, *body = compare.table_cells([base, row, other], ('NDS',))
    assert header == ['model', 'seeds', 'base', 'NDS', 'Δ NDS']
    assert [line[2] for line in body] == ['-', 'base', 'row']


def manifest(folder: Path) -> Path:
    parts = (('train', 30.0), ('train', 12.0), ('test', 5.0))
    attempts = [dict(stage=stage, wall_s=seconds) for stage, seconds in parts]
    jobs = [
        dict(kind='run', row=row, seed=seed, state='done', metrics=dict(NDS=value + seed / 10), attempts=attempts)
        for row, value in (('a', 0.1), ('b', 0.3))
        for seed in (0, 1)
    ]
    jobs = [dict(entry, job=f'{entry["row"]}_seed{entry["seed"]}') for entry in jobs]
    jobs[3].update(state='running', metrics=None)
    jobs.append(dict(job='final-a_seed0', kind='final', row='a', seed=0, state='done', metrics=dict(NDS=0.9)))
    jobs.append(dict(job='cache-x', kind='cache', row=None, seed=None, state='done'))
    listed = [dict(name='a', title='row A', base=None), dict(name='b', title='row B', base='a')]
    path = folder / 'manifest.json'
    path.write_text(json.dumps(dict(matrix='study', metrics=['NDS'], rows=listed, jobs=jobs)))
    return path


def test_a_manifest_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = manifest(tmp_path)
    compare.main([str(path), '--out', str(tmp_path / 'out' / 'table')])
    shown = capsys.readouterr()
    assert 'not done yet, 1 runs: b_seed1' in shown.err
    lines = (tmp_path / 'out' / 'table.md').read_text().splitlines()
    assert lines[2] == '| row A | 2 | 0.150 ± 0.071 | - | 42 ± 0 |'
    assert lines[3] == '| row B | 1 | 0.300 | +0.200 | 42 |'
    assert (tmp_path / 'out' / 'table_seeds.csv').read_text().splitlines()[1].startswith('row A,0,0.1,42')
    assert (tmp_path / 'out' / 'table.png').stat().st_size > 5000
    compare.main([str(path), '--second'])
    assert '0.900' in capsys.readouterr().out


def sitting(folder: Path, name: str, seeds: tuple[int, ...], config: str = 'same', base: str | None = 'a') -> Path:
    """A manifest of rows a and b, b's NDS 0.2 above a's with seed 0 and 0.1 more with each further seed."""
    jobs = [
        dict(job=f'{row}_seed{seed}', kind='run', row=row, seed=seed, state='done', identity=dict(config=config + row),
             metrics=dict(NDS=0.1 + (row == 'b') * (0.2 + 0.1 * seed)))
        for row in 'ab' for seed in seeds
    ]  # fmt: skip
    listed = [dict(name='a', title='A', base=None), dict(name='b', title=f'B {name}', base=base)]
    path = folder / f'{name}.json'
    path.write_text(json.dumps(dict(matrix=name, metrics=['NDS'], rows=listed, jobs=jobs)))
    return path


def test_sittings_of_one_study_are_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = sitting(tmp_path, 'first', (0,)), sitting(tmp_path, 'second', (1, 2), base=None)
    compare.main([str(first), str(second)])
    lines = capsys.readouterr().out.splitlines()
    # Differences 0.2, 0.3, 0.4, each within its sitting; title and base are the first sitting's.
    assert lines[3].split()[:2] == ['B', 'first'] and '+0.300 [+0.052, +0.548]' in lines[3]
    assert lines[2].split() == ['A', '3', '0.100', '±', '0.000', '-', '-']


def test_sittings_that_do_not_belong_together(tmp_path: Path) -> None:
    first = str(sitting(tmp_path, 'first', (0, 1)))
    for other, message in (
        (sitting(tmp_path, 'again', (1,)), r"row 'a' has seed 1 in .*first\.json and again in .*again\.json"),
        (sitting(tmp_path, 'other', (2,), config='new'), r"row 'a' has another config in .*other\.json than in"),
    ):
        with pytest.raises(SystemExit, match=message):
            compare.main([first, str(other)])


def test_order_columns_and_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(manifest(tmp_path))
    compare.main([path, '--sort', 'NDS', '--metrics', 'NDS'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['model', 'seeds', 'NDS', 'Δ', 'NDS']
    assert lines[2].startswith('row B')
    compare.main([path, '--base', 'row B'])
    assert '-0.200' in capsys.readouterr().out
    for words, message in (
        (['--metrics', 'NSD'], "no run has ['NSD']"),
        (['--base', 'c'], "no such row; there are ['row A', 'row B']"),
        (['--sort', 'mAP'], 'no run has it'),
    ):
        with pytest.raises(SystemExit, match=r'compare\.py: error: ') as end:
            compare.main([path, *words])
        assert message in str(end.value)


def test_errors_are_sorted_least_first() -> None:
    first, second = Row('first', [Run({'mATE': 0.9})]), Row('second', [Run({'mATE': 0.2})])
    third = Row('third', [Run({})])
    assert [row.name for row in compare.ordered([third, first, second], 'mATE')] == ['second', 'first', 'third']


def test_all_numbers_of_a_result_keep_short_names(tmp_path: Path) -> None:
    file = tmp_path / 'a.json'
    found = {'nuscenes/NDS': 0.4, 'nuscenes/car_AP': 0.5, 'x/mAP': 1.0, 'y/mAP': 2.0, 'note': 'text'}
    file.write_text(json.dumps(found))
    assert read_all_metrics(file) == {'NDS': 0.4, 'car_AP': 0.5, 'x/mAP': 1.0, 'y/mAP': 2.0}
