"""Work dirs of mmengine: the newest test, the seconds of training, the seed in the name."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from made_up_work_dirs import work_dir

from bevdistill.studies.work_dirs import (
    find_test,
    read_all_metrics,
    read_metrics,
    read_training_seconds,
    split_seed,
)


def train_log(work_dir: Path, time: str, entries: list[tuple[int, float]]) -> None:
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps(dict(loss=1.0, time=seconds, step=step, lr=0.1)) for step, seconds in entries]
    lines.append(json.dumps({'mAP': 0.1, 'time': 9.0, 'step': 1}))
    (folder / 'scalars.json').write_text('\n'.join(lines) + '\n')


def test_newest_test_counts(tmp_path: Path) -> None:
    folder = work_dir(tmp_path, 'student', 0.1, '20260101_000000')
    work_dir(tmp_path, 'student', 0.4, '20260102_000000')
    assert read_metrics(folder)[0]['mAP'] == 0.4
    known = [find_test(folder)]
    assert find_test(folder, known).stem == '20260101_000000'


def test_a_folder_that_may_not_be_read_is_not_one_without_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, 'Permission denied', str(path))

    folder = work_dir(tmp_path, 'student', 0.1)
    monkeypatch.setattr('os.listdir', refused)
    with pytest.raises(PermissionError, match=r'Permission denied.*student'):
        find_test(folder)


def test_damaged_files_are_passed_over_or_named(tmp_path: Path) -> None:
    folder = work_dir(tmp_path, 'student', 0.1)
    newest = work_dir(tmp_path, 'student', 0.4, '20260102_000000') / '20260102_000000'
    for content in (b'', b'{"NDS": 0.', b'[1]', b'\xff\xfe'):
        (newest / '20260102_000000.json').write_bytes(content)
        assert read_metrics(folder)[0]['mAP'] == 0.1
    train_log(folder, '20260103_000000', [(50, 0.5)])
    log = folder / '20260103_000000/vis_data/scalars.json'
    log.write_bytes(log.read_bytes() + b'\xff\xfe\n[1]\n{"loss": 1, "time": "x", "step": 99}\n{"loss": 1, "ti')
    assert read_training_seconds(folder) == 25.0
    (folder / '20260101_000000' / 'tested.json').write_text('[1]')
    with pytest.raises(ValueError, match=r'tested\.json: expected a whole JSON object, found a list\. Test'):
        read_metrics(folder)


def test_the_last_validation_counts_where_there_is_no_test(tmp_path: Path) -> None:
    train_log(tmp_path / 'student', '20260101_000000', [(50, 0.5)])
    log = tmp_path / 'student/20260101_000000/vis_data/scalars.json'
    with log.open('a') as file:
        file.write('{"nuscenes/NDS": 0.3, "nuscenes/car_AP": 0.2, "step": 2, "time": 1.0}\n{"nuscenes/NDS": 0.')
    assert read_metrics(tmp_path / 'student') == (dict(NDS=0.3, car_AP=0.2), 'the last validation of its training')
    work_dir(tmp_path, 'student', 0.4, '20260102_000000')
    assert read_metrics(tmp_path / 'student')[0]['mAP'] == 0.4


def test_a_result_says_what_it_is_of_unless_that_lies_beside_it(tmp_path: Path) -> None:
    folder = work_dir(tmp_path, 'student', 0.4)
    assert read_metrics(folder)[1] == ''
    facts = dict(checkpoint=str(tmp_path / 'other.pth'), sha256='0123456789abcdef')
    (folder / '20260101_000000/tested.json').write_text(json.dumps(facts))
    assert read_metrics(folder)[1] == f'{tmp_path}/other.pth (SHA-256 0123456789ab)'
    facts['checkpoint'] = str(folder / 'epoch_1.pth')
    (folder / '20260101_000000/tested.json').write_text(json.dumps(facts))
    assert read_metrics(folder)[1] == ''


def test_training_seconds_from_the_log(tmp_path: Path) -> None:
    assert math.isnan(read_training_seconds(tmp_path))
    train_log(tmp_path, '20260101_000000', [(50, 0.5), (100, 0.25)])
    assert read_training_seconds(tmp_path) == pytest.approx(50 * 0.5 + 50 * 0.25)


def test_resumed_training_is_not_counted_twice(tmp_path: Path) -> None:
    train_log(tmp_path, '20260101_000000', [(50, 0.5), (100, 0.5)])
    train_log(tmp_path, '20260101_010000', [(100, 1.0), (150, 1.0)])
    assert read_training_seconds(tmp_path) == pytest.approx(50 * 0.5 + 50 * 1.0 + 50 * 1.0)


@pytest.mark.parametrize(
    ('name', 'split'),
    [('student_seed2', ('student', 2)), ('a-seed10', ('a', 10)), ('seeded', ('seeded', None)), ('x', ('x', None))],
)
def test_seed_endings(name: str, split: tuple[str, int | None]) -> None:
    assert split_seed(name) == split


def test_all_numbers_of_a_result_keep_short_names(tmp_path: Path) -> None:
    file = tmp_path / 'a.json'
    found = {'nuscenes/NDS': 0.4, 'nuscenes/car_AP': 0.5, 'x/mAP': 1.0, 'y/mAP': 2.0, 'note': 'text'}
    file.write_text(json.dumps(found))
    assert read_all_metrics(file) == {'NDS': 0.4, 'car_AP': 0.5, 'x/mAP': 1.0, 'y/mAP': 2.0}


@pytest.mark.parametrize('number', ['1e400', '-1e200', '9' * 400])
def test_numbers_that_no_table_holds(tmp_path: Path, number: str) -> None:
    file = tmp_path / 'a.json'
    file.write_text('{"mAP": NaN, "nuscenes/NDS": ' + number + '}')
    with pytest.raises(ValueError, match=r'a\.json: nuscenes/NDS: expected a number below 1e\+100, found'):
        read_all_metrics(file)


def test_files_that_are_no_result_do_not_count(tmp_path: Path) -> None:
    folder = work_dir(tmp_path, 'student', 0.1, '20260101_000000')
    for time, text in (('20260102_000000', '{"half'), ('20260103_000000', '[1]'), ('20260104_000000', '{"note": "x"}')):
        (folder / time).mkdir()
        (folder / time / f'{time}.json').write_text(text)
    (folder / '20260105_000000').mkdir()
    (folder / '20260105_000000' / 'other.json').write_text('{"NDS": 1.0}')
    assert find_test(folder).stem == '20260101_000000'
    # A result without a metric of nuScenes is a test, but no row of the table.
    (folder / '20260106_000000').mkdir()
    (folder / '20260106_000000' / '20260106_000000.json').write_text('{"accuracy": 1.0}')
    assert find_test(folder).stem == '20260106_000000'
    assert read_metrics(folder)[0]['mAP'] == 0.1
    with pytest.raises(FileNotFoundError, match=r'no test result in .*; make one with: tools/test\.py'):
        read_metrics(tmp_path)
