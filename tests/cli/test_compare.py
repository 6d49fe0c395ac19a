"""The comparison as a command: work dirs and manifests in, tables out; the published tables come out again."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest
from made_up_work_dirs import work_dir

from bevdistill.cli import compare
from bevdistill.studies import plot
from bevdistill.studies.effects import compare_with
from bevdistill.studies.results import Results, read_work_dirs
from bevdistill.studies.tables import cell, to_csv, to_markdown
from bevdistill.studies.work_dirs import METRICS

RESULTS = Path(__file__).resolve().parents[2] / 'docs' / 'results'


def run(*words: object) -> None:
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    compare.run(parser.parse_args([str(word) for word in words]))


def three_students(root: Path) -> Results:
    dirs = [work_dir(root, f'student_seed{seed}', value) for seed, value in enumerate((0.1, 0.2, 0.3))]
    return read_work_dirs([*dirs, work_dir(root, 'teacher', 0.7)])


def test_seeds_of_one_name_become_mean_and_sample_deviation(tmp_path: Path) -> None:
    results = three_students(tmp_path)
    assert results.rows == ['student', 'teacher']
    assert [cell(results, row, 'mAP') for row in results.rows] == ['0.200 ± 0.100', '0.700']
    assert cell(results, 'teacher', 'seconds') == '-'
    columns = (*METRICS, 'seconds')
    assert '| student | 3 |' in to_markdown(results, columns)
    header, student, _ = to_csv(results, columns).splitlines()
    values = dict(zip(header.split(','), student.split(','), strict=True))
    assert float(values['mAP']) == pytest.approx(0.2)
    assert float(values['mAP_std']) == pytest.approx(0.1)
    assert values['seconds'] == ''


def test_folders_of_one_name_are_no_seeds_of_one_row(tmp_path: Path) -> None:
    dirs = [work_dir(tmp_path / place, 'a|b', value) for place, value in (('old', 0.1), ('<new', 0.2))]
    results = read_work_dirs([dirs[0], *dirs])
    assert results.rows == ['old/a|b', '<new/a|b']
    assert read_work_dirs([work_dir(tmp_path, 'gr\udcf6n', 0.1)]).rows == [r'gr\udcf6n'], 'a name that is no text'
    markdown = to_markdown(results, METRICS)
    assert r'| old/a\|b | 0' in markdown
    assert r'| &lt;new/a\|b | 0' in markdown


@pytest.mark.parametrize(
    ('patterns', 'names'),
    [
        (None, ['search-a', 'search-b', 'student']),
        (['search-*'], ['search-a', 'search-b']),
        (['not:search-*'], ['student']),
        (['search-*', 'student', 'not:*-b'], ['search-a', 'student']),
    ],
)
def test_rows_are_chosen_by_name(tmp_path: Path, patterns: list[str] | None, names: list[str]) -> None:
    results = read_work_dirs([work_dir(tmp_path, name, 0.1) for name in ('search-a', 'search-b', 'student')])
    assert compare.chosen(results, patterns) == names
    results.titles['student'] = 'not distilled'
    assert compare.chosen(results, ['student']) == compare.chosen(results, ['not d*']) == ['student']
    with pytest.raises(ValueError, match=r"--rows teacher\*: no such row; there are \['search-a',"):
        compare.chosen(results, ['teacher*'])


def test_all_files_are_written_and_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three_students(tmp_path)
    dirs = sorted(tmp_path.glob('student*'))
    run(*dirs, '--out', tmp_path / 'out' / 'table')
    shown = capsys.readouterr().out
    assert 'student' in shown
    assert 'saved' in shown
    assert (tmp_path / 'out' / 'table.md').read_text().startswith('| model | seeds | NDS | mAP |')
    assert (tmp_path / 'out' / 'table_seeds.csv').read_text().splitlines()[1].startswith('student,0,0.5,0.1')
    assert (tmp_path / 'out' / 'table_NDS.png').stat().st_size > 5000
    (tmp_path / 'untested').mkdir()
    (tmp_path / 'a_file.txt').touch()
    run(*dirs, tmp_path / 'untested', tmp_path / 'a_file.txt')
    shown, said = capsys.readouterr()
    assert [line.split(';')[0] for line in said.splitlines()] == [
        f'left out: no test result in {tmp_path}/untested',
        f'left out: {tmp_path}/a_file.txt: expected a work dir, found a file',
    ]
    assert 'student' in shown
    assert 'untested' not in shown
    with pytest.raises(FileNotFoundError, match=r'no test result in .*tools/test\.py CONFIG CHECKPOINT --work-dir'):
        run(tmp_path / 'untested')


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, 'No space left on device')

    three_students(tmp_path)
    monkeypatch.setattr(Path, 'write_text', full)
    with pytest.raises(OSError, match=f'cannot write in {tmp_path}/out: No space left on device'):
        run(tmp_path / 'teacher', '--out', tmp_path / 'out' / 'table')


def test_base_order_columns_and_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three_students(tmp_path)
    dirs = [*sorted(tmp_path.glob('student*')), tmp_path / 'teacher']
    run(*dirs, '--sort', 'mAP', '--metrics', 'mAP')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['model', 'seeds', 'mAP']
    assert lines[1].startswith('teacher')
    other = [work_dir(tmp_path, f'other_seed{seed}', 0.5) for seed in range(3)]
    run(*dirs[:3], *other, '--base', 'student', '--metrics', 'mAP')
    shown = capsys.readouterr().out
    assert '+0.300 [+0.052, +0.548]' in shown
    assert 'mean difference to `student`' in shown
    for words, message in (
        (['--metrics', 'NSD'], r"--metrics: no run has 'NSD'; did you mean 'NDS'\? There are"),
        (['--base', 'c'], r"no such row; there are \['student', 'teacher'\]"),
        (['--sort', 'map'], r"--sort: no run has 'map'; did you mean 'mAP'\? There are"),
    ):
        with pytest.raises(ValueError, match=message):
            run(*dirs, *words)


def test_all_rows_against_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    three_students(tmp_path)
    for name, value in (('near', 0.21), ('far', 0.9)):
        for seed in range(2):
            work_dir(tmp_path, f'{name}_seed{seed}', value + 0.01 * seed)
    dirs = sorted(tmp_path.glob('*'))
    words = ['--against', 'student', '--metrics', 'mAP', '--out', tmp_path / 'out' / 'table']
    run(*dirs, *words, '--family', 'near', '--family', 'far', 'teach*')
    shown = capsys.readouterr().out
    assert 'their means are not of the same runs: 0-1 (2 rows), 0-2 (1 row).' in shown
    assert 'Family 2: far; teacher.' in shown
    lines = (tmp_path / 'out' / 'table_against.md').read_text().splitlines()
    assert lines[0] == '| model | seeds | Δ mAP | p |'
    assert [line.split(' | ')[0] for line in lines[2:5]] == ['| far', '| near', '| teacher']
    rows = (tmp_path / 'out' / 'table_against.csv').read_text().splitlines()
    assert rows[1].startswith('far,student,mAP,2,3,1,0.705,')
    for extra, message in (
        (['--family', 'x'], '--family belongs to a comparison of all rows with one: add --against ROW'),
        (['--both-worlds'], '--both-worlds belongs to a comparison of all rows with one: add --against ROW'),
        (['--against', 'x'], r"--against x: no such row; there are \['far', 'near', 'student', 'teacher'\]"),
        (['--against', 'far', '--family', 'x*'], r'--family x\*: no such row in the table; there are'),
        (['--against', 'far', '--family', 'n*', '--family', 'near'], r"\['near'\] are in two families"),
        (['--against', 'far', '--both-worlds'], '--both-worlds takes manifests of studies'),
        (['--against', 'far', '--metrics', 'seconds'], '--against compares metrics, and --metrics names none'),
    ):
        with pytest.raises(ValueError, match=message):
            run(*dirs[:4], *dirs[5:], *extra)


def test_published_worlds_and_teachers_are_in_the_interval() -> None:
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    base = 'BEVDistill, form of the paper'
    words = ['--mixed', '--rows', 'student', 'FitNet', base, '--against', base]
    manifests = [str(RESULTS / f'benchmark{name}_manifest.json') for name in ('', '_first')]
    one, _ = compare.read(parser.parse_args([*manifests, *words]))
    both, _ = compare.read(parser.parse_args([*manifests, *words, '--both-worlds']))
    assert one.runs.loc[one.runs['row'].isin(one.rows), 'teacher'].nunique() == 2
    first, second = (compare_with(each, one.named(base, ''), 'NDS', [one.rows]) for each in (one, both))
    assert (first.variances.number_of_worlds, second.variances.number_of_worlds) == (1, 2)
    assert first.effects['student'].seeds == (6, 9)
    assert second.effects['student'].seeds == (3, 5), 'runs that both worlds have tested'
    assert second.variances.worlds.df == 2


def published() -> list[list[str]]:
    """The commands of docs/results/benchmark.md that write the tables beside it."""
    text = re.sub(r'\\\n\s*', '', (RESULTS / 'benchmark.md').read_text())
    commands = [shlex.split(line)[2:] for line in re.findall(r'^bevdistill compare .*--out .*$', text, re.MULTILINE)]
    search = (RESULTS.parents[1] / 'configs' / 'studies' / 'benchmark_first.yml').read_text()
    search = re.sub(r'\\\n#\s*|^#\s*', '', search, flags=re.MULTILINE)
    (line,) = re.findall(r'^bevdistill compare .*$', search, re.MULTILINE)
    return [*commands, shlex.split(line.replace('work_dirs/benchmark-first/m', 'docs/results/benchmark_first_m'))[2:]]


@pytest.mark.parametrize('words', published(), ids=lambda words: Path(words[-1]).name)
def test_published_tables_come_out_to_the_last_digit(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One picture each: tests/studies/test_plot.py looks at the others.
    draw = plot.save_plots
    monkeypatch.setattr(plot, 'save_plots', lambda results, columns, *rest: draw(results, ['NDS'], *rest))
    words = [str(RESULTS.parents[1] / word) if word.endswith('.json') else word for word in words]
    name = Path(words[words.index('--out') + 1]).name
    words[words.index('--out') + 1] = str(tmp_path / name)
    run(*words)
    for ending in ('.md', '.csv', '_seeds.csv'):
        assert (tmp_path / (name + ending)).read_text() == (RESULTS / (name + ending)).read_text()
    assert (tmp_path / f'{name}_NDS.png').is_file()


def test_published_sessions_are_mixed_only_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in published()[0] if word != '--mixed']
    words = [str(RESULTS.parents[1] / word) if word.endswith('.json') else word for word in words]
    assert '--mixed' in published()[0]
    with pytest.raises(ValueError, match=r'(?s)different code, data, .*data: row student 24299a3f -> 85378a78'):
        run(*words[:-2])
    run(*words[:-2], '--mixed')
    assert 'different code, data' in capsys.readouterr().err


def test_scores_of_a_part_of_the_split_are_marked_and_not_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = work_dir(tmp_path, 'whole', 0.3)
    part = {'samples': 10, 'split_samples': 81, 'samples_id': 7}
    first, same = (work_dir(tmp_path, name, 0.3, **part) for name in ('first', 'same'))
    other = work_dir(tmp_path, 'other', 0.3, **part | {'samples_id': 8})
    run(first, same, '--out', tmp_path / 'table')
    line = 'Scored on 10 samples (id 7) that are not the whole split of 81: first, same.'
    assert line in capsys.readouterr().out
    assert line in (tmp_path / 'table.md').read_text()
    for mixed in ((whole, first), (first, other)):
        with pytest.raises(ValueError, match=r'(?s)samples: .*: (whole|first); 10 samples \(id .*To put them into'):
            run(*mixed)
    run(whole, first, '--rows', 'whole')
    assert 'Scored on' not in capsys.readouterr().out
    run(whole, first, '--mixed')
    assert 'samples: the whole split: whole; 10 samples' in capsys.readouterr().err


def test_means_over_different_classes_are_not_mixed(tmp_path: Path) -> None:
    ten = work_dir(tmp_path, 'ten', 0.3, car_AP=0.2, bus_AP=0.4)
    one = work_dir(tmp_path, 'one', 0.3, car_AP=0.2, bus_AP=float('nan'))
    run(ten, work_dir(tmp_path, 'mmdet3d', 0.3))
    with pytest.raises(ValueError, match=r'means over 2 classes \(bus, car\): ten; means over 1 class \(car\): one'):
        run(ten, one)
