"""Parts of tools/run_matrix.py: the matrix file, locks, the time left."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from shipped_matrices import MATRICES, shipped_matrix

REPO = Path(__file__).resolve().parents[2]
if str(REPO) not in sys.path:
    sys.path.insert(0, str(REPO))

from tools.matrix_run.layout import Job  # noqa: E402
from tools.matrix_run.locks import SILENT_SECONDS, JobLock, held, process_start  # noqa: E402
from tools.matrix_run.outlook import seconds_left  # noqa: E402
from tools.matrix_run.spec import RowSpec, load_matrix, override_words, split_input  # noqa: E402

CONFIG = 'configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py'


def write(folder: Path, **tree: Any) -> Path:
    path = folder / 'study.yml'
    path.write_text(yaml.safe_dump(dict(data='data/x', **tree), sort_keys=False))
    return path


def test_shared_and_own_overrides_and_seeds(tmp_path: Path) -> None:
    rows = [
        dict(name='a', config=CONFIG),
        dict(name='b', config=CONFIG, seeds=[7], overrides={'optim.lr': 0.1, 'train_cfg.max_iters': 3}, base='a'),
    ]
    matrix = load_matrix(write(tmp_path, seeds=[0, 1], overrides={'train_cfg.max_iters': 9}, rows=rows))
    assert (matrix.name, matrix.metrics, matrix.second_data) == ('study', ('NDS', 'mAP'), None)
    assert [row.seeds for row in matrix.rows] == [(0, 1), (7,)]
    assert [row.overrides for row in matrix.rows] == [
        ('train_cfg.max_iters=9',), ('train_cfg.max_iters=3', 'optim.lr=0.1')
    ]  # fmt: skip


def test_override_words() -> None:
    found = override_words({'a.b': 1, 'c': [1, 'x'], 'd': None, '+e': True, 'f._delete_': True})
    assert found == ('a.b=1', 'c=[1,x]', 'd=None', '+e=True', 'f._delete_=True')
    assert split_input('teacher:12') == ('teacher', 12) and split_input('a/b.pth') == ('a/b.pth', None)
    with pytest.raises(ValueError, match=r'dotted keys, such as a\.b: \.\.'):
        override_words({'a': {'b': 1}})


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    rows = [
        dict(name='a', config='configs/nothing.py', sedes=[0]),
        dict(name='b', config=CONFIG, base='c', cache='x', inputs={'model.t': 'later', 'model.u': 'weights.pth'}),
        dict(name='b/c', config=CONFIG, seeds=[0, 0], inputs={'model.t': 'b:3', 'model.u': 'b'}),
        dict(name='later', config=CONFIG, overrides=['a=1']),
    ]
    with pytest.raises(ValueError) as error:
        load_matrix(write(tmp_path, seed=[0], order='random', rows=rows))
    for words in (
        "the matrix has unknown keys ['seed']", "order is one of ['rows', 'seeds'], got 'random'",
        "row 'a' has unknown keys ['sedes']", "row 'a': no config",
        "row 'b': its base 'c' is no row", "row 'b': its cache 'x' is not among", "'later' is no row above",
        'no file weights.pth', "row 'b/c' needs a name of letters", 'has one twice', "row 'b' has no seed 3",
        'overrides are written key: value',
    ):  # fmt: skip
        assert words in str(error.value), words


def test_an_input_of_several_seeds_is_the_one_of_the_same_seed_or_said(tmp_path: Path) -> None:
    teacher = dict(name='teacher', config=CONFIG, seeds=[0, 1])
    taught = dict(name='taught', config=CONFIG, seeds=[0, 1], inputs={'model.x': 'teacher'})
    load_matrix(write(tmp_path, rows=[teacher, taught]))
    with pytest.raises(ValueError, match='several seeds; say which: teacher:0'):
        load_matrix(write(tmp_path, rows=[teacher, dict(taught, seeds=[2])]))


@pytest.mark.parametrize('file', MATRICES, ids=lambda file: file.stem)
def test_shipped_matrices_are_whole(file: Path) -> None:
    matrix = shipped_matrix(file)
    assert len(matrix.rows) >= 5
    assert all(row.minutes for row in matrix.rows)


def _lock_of(folder: Path, **owner: Any) -> JobLock:
    folder.mkdir(exist_ok=True)
    (folder / 'job.lock').write_text(json.dumps(dict(dict(host=socket.gethostname(), since='today'), **owner)))
    return JobLock(folder, 'job')


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    first, second = JobLock(tmp_path, 'job'), JobLock(tmp_path, 'job')
    assert first.take() and not second.take()
    first.runs(os.getpid())
    assert f'process {os.getpid()}' in held(tmp_path, ['job', 'other'])['job']
    first.give()
    assert held(tmp_path, ['job']) == {} and second.take()


def test_stale_locks_of_this_machine(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, '-c', ''])
    gone.wait()
    mine = [os.getpid(), process_start(os.getpid())]
    assert _lock_of(tmp_path, process=[gone.pid, '1']).take(), 'its process is gone'
    assert _lock_of(tmp_path, process=[os.getpid(), '1']).take(), 'its number belongs to another process now'
    assert not _lock_of(tmp_path, process=[gone.pid, '1'], program=mine).take(), 'its program outlived it'
    assert not _lock_of(tmp_path, process=mine).take()


def test_locks_of_other_machines_age(tmp_path: Path) -> None:
    lock = _lock_of(tmp_path, host='elsewhere', process=[1, '1'])
    assert not lock.take()
    file = tmp_path / 'job.lock'
    old = file.stat().st_mtime - SILENT_SECONDS - 1
    os.utime(file, (old, old))
    assert lock.take()


def test_a_lock_that_is_half_written_is_stale(tmp_path: Path) -> None:
    (tmp_path / 'job.lock').write_text('{"host"')
    assert JobLock(tmp_path, 'job').take()


def _job(name: str, row: str, minutes: float | None = None) -> Job:
    spec = RowSpec(row, row, CONFIG, (), (0, 1), minutes=minutes)
    return Job(name, 'run', (), Path('x'), CONFIG, (), dict, lambda record: [], spec, 0)


def _took(*seconds: float) -> dict[str, Any]:
    return dict(attempts=[dict(stage=stage, wall_s=s) for stage, s in zip(('train', 'test'), seconds, strict=True)])


def test_time_left_by_hand() -> None:
    jobs = [_job('a0', 'a'), _job('a1', 'a'), _job('b0', 'b', minutes=2), _job('c0', 'c')]
    done = {'a0': _took(90.0, 10.0)}
    # a1 as a0: 100; b0 as the file says: 120; c0 as what was measured: 100.
    assert seconds_left(jobs[1:], {}, done, jobs, 1) == pytest.approx(320)
    assert seconds_left(jobs[1:], {}, done, jobs, 2) == pytest.approx(160)
    assert seconds_left(jobs[2:], {'a1': 40.0}, done, jobs, 2) == pytest.approx(130)
    assert seconds_left(jobs[2:3], {'a1': 40.0}, done, jobs, 4) == pytest.approx(120), 'not less than the longest'
    assert seconds_left([jobs[3]], {}, {}, jobs, 1) is None
    assert seconds_left([], {'a1': None}, {}, jobs, 1) is None
