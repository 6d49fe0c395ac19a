import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools' / 'compare.py'
PREFIX = 'NuScenes metric/pred_instances_3d_NuScenes'


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location('compare_tool', TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


compare = _load()


def _work_dir(root: Path, name: str, mean_ap: float, time: str = '20260101_000000') -> Path:
    work_dir = root / name
    folder = work_dir / time
    folder.mkdir(parents=True)
    metrics = {f'{PREFIX}/{key}': 0.5 for key in compare.METRICS} | {f'{PREFIX}/mAP': mean_ap}
    metrics |= {f'{PREFIX}/car_AP_dist_0.5': 0.1, 'time': 0.2}
    (folder / f'{time}.json').write_text(json.dumps(metrics))
    return work_dir


def _train_log(work_dir: Path, time: str, entries: list[tuple[int, float]]) -> None:
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps(dict(loss=1.0, time=seconds, step=step, lr=0.1)) for step, seconds in entries]
    lines.append(json.dumps({'mAP': 0.1, 'time': 9.0, 'step': 1}))
    (folder / 'scalars.json').write_text('\n'.join(lines) + '\n')


def test_seeds_of_one_name_become_mean_and_sample_deviation(tmp_path: Path) -> None:
    dirs = [_work_dir(tmp_path, f'student_seed{seed}', value) for seed, value in enumerate((0.1, 0.2, 0.3))]
    dirs.append(_work_dir(tmp_path, 'teacher', 0.7))
    rows = compare.collect(dirs)
    assert [row.name for row in rows] == ['student', 'teacher']
    assert compare.cell(rows[0], 'mAP') == '0.200 ± 0.100'
    assert compare.cell(rows[1], 'mAP') == '0.700'
    assert compare.cell(rows[1], 'seconds') == '-'
    assert '| student | 3 |' in compare.to_markdown(rows)
    assert '± 0.100' in compare.to_text(rows)
    header, student, _ = compare.to_csv(rows).splitlines()
    values = dict(zip(header.split(','), student.split(','), strict=True))
    assert float(values['mAP']) == pytest.approx(0.2)
    assert float(values['mAP_std']) == pytest.approx(0.1)
    assert values['seconds'] == ''


def test_newest_test_counts(tmp_path: Path) -> None:
    work_dir = _work_dir(tmp_path, 'student', 0.1, '20260101_000000')
    _work_dir(tmp_path, 'student', 0.4, '20260102_000000')
    assert compare.read_metrics(work_dir)['mAP'] == 0.4


def test_training_seconds_from_the_log(tmp_path: Path) -> None:
    _train_log(tmp_path, '20260101_000000', [(50, 0.5), (100, 0.25)])
    assert compare.read_training_seconds(tmp_path) == pytest.approx(50 * 0.5 + 50 * 0.25)


def test_resumed_training_is_not_counted_twice(tmp_path: Path) -> None:
    _train_log(tmp_path, '20260101_000000', [(50, 0.5), (100, 0.5)])
    _train_log(tmp_path, '20260101_010000', [(100, 1.0), (150, 1.0)])
    assert compare.read_training_seconds(tmp_path) == pytest.approx(50 * 0.5 + 50 * 1.0 + 50 * 1.0)


def test_without_a_log_seconds_are_unknown(tmp_path: Path) -> None:
    assert math.isnan(compare.read_training_seconds(tmp_path))


@pytest.mark.parametrize(
    ('name', 'split'),
    [('student_seed2', ('student', 2)), ('a-seed10', ('a', 10)), ('seeded', ('seeded', None)), ('x', ('x', None))],
)
def test_seed_endings(name: str, split: tuple[str, int | None]) -> None:
    assert compare.split_seed(name) == split


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
    rows = compare.collect([_work_dir(tmp_path, name, 0.1) for name in ('search-a', 'search-b', 'student')])
    assert [row.name for row in compare.chosen(rows, patterns)] == names


def test_no_row_of_that_name_is_an_error(tmp_path: Path) -> None:
    rows = compare.collect([_work_dir(tmp_path, 'student', 0.1)])
    with pytest.raises(ValueError, match=r"--rows teacher\*: no such row; there are \['student'\]"):
        compare.chosen(rows, ['teacher*'])


def test_command_writes_both_files_and_names_what_is_missing(tmp_path: Path) -> None:
    work_dir = _work_dir(tmp_path, 'student', 0.1)
    command = [sys.executable, str(TOOL), str(work_dir)]
    done = subprocess.run([*command, '--out', str(tmp_path / 'out' / 'table')], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'student' in done.stdout
    assert (tmp_path / 'out' / 'table.md').read_text().startswith('| model | NDS | mAP |')
    assert (tmp_path / 'out' / 'table.csv').exists()
    (tmp_path / 'untested').mkdir()
    failed = subprocess.run([*command, str(tmp_path / 'untested')], capture_output=True, text=True)
    assert failed.returncode != 0
    assert 'no test result in' in failed.stderr
    assert 'tools/test.py CONFIG CHECKPOINT --work-dir' in failed.stderr
