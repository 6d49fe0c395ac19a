"""Results read from manifests and work dirs, and the refusal to mix code or data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from study_folder import StudyFolder

from bevdistill.studies.results import mixture, read_manifests, read_work_dirs

REPO = Path(__file__).resolve().parents[2]
PUBLISHED = REPO / 'docs' / 'results'


def manifest(folder: Path, name: str = 'manifest', **changes: Any) -> Path:
    parts = (('train', 30.0), ('train', 12.0), ('test', 5.0))
    attempts = [dict(stage=stage, wall_s=seconds) for stage, seconds in parts]
    jobs = [
        dict(job=f'{row}_seed{seed}', kind='run', row=row, seed=seed, state='done', metrics=dict(NDS=value + seed / 10),
             attempts=attempts)
        for row, value in (('a', 0.1), ('b', 0.3))
        for seed in (0, 1)
    ]  # fmt: skip
    jobs[3].update(state='running', metrics=None)
    jobs.append(dict(job='final-a_seed0', kind='final', row='a', seed=0, state='done', metrics=dict(NDS=0.9)))
    jobs.append(dict(job='cache-x', kind='cache', row=None, seed=None, state='done'))
    listed = [dict(name='a', title='row A', base=None), dict(name='b', title='row B', base='a')]
    path = folder / f'{name}.json'
    path.write_text(json.dumps(dict(dict(matrix='study', metrics=['NDS'], rows=listed, jobs=jobs), **changes)))
    return path


def session(folder: Path, name: str, seeds: tuple[int, ...], config: str = 'same', base: str | None = 'a',
            identity: dict[str, str] | None = None, parts: dict[str, Any] | None = None) -> Path:
    """A manifest of rows a and b, b's NDS 0.2 above a's with seed 0 and 0.1 more with each further seed."""
    jobs = [
        dict(job=f'{row}_seed{seed}', kind='run', row=row, seed=seed, state='done',
             identity=dict(identity or {}, config=config + row),
             metrics=dict(NDS=0.1 + (row == 'b') * (0.2 + 0.1 * seed)))
        for row in 'ab' for seed in seeds
    ]  # fmt: skip
    listed = [dict(name='a', title='A', base=None), dict(name='b', title=f'B {name}', base=base)]
    return manifest(folder, name, jobs=jobs, rows=listed, parts=parts or {})


def test_a_manifest_is_a_table(tmp_path: Path) -> None:
    found = read_manifests([manifest(tmp_path)])
    assert found.titles == dict(a='row A', b='row B')
    assert found.bases == dict(b='a')
    assert found.missing == ['b_seed1']
    assert found.by_seed('a', 'NDS').to_dict() == {0: 0.1, 1: 0.2}
    assert list(found.values('a', 'seconds')) == [42.0, 42.0]
    held_out = read_manifests([manifest(tmp_path)], held_out=True)
    assert held_out.by_seed('a', 'NDS').to_dict() == {0: 0.9}
    assert found.named('row B', '--base') == found.named('b', '--base') == 'b'
    with pytest.raises(ValueError, match=r"--base c: no such row; there are \['row A', 'row B'\]"):
        found.named('c', '--base')


def test_nothing_done_is_said(tmp_path: Path) -> None:
    path = manifest(tmp_path, jobs=[dict(job='a_seed0', state='waiting')])
    with pytest.raises(ValueError, match=r'no run is done$'):
        read_manifests([path])
    with pytest.raises(ValueError, match='no run is done on the held-out world, see bevdistill study run --held-out'):
        read_manifests([path], held_out=True)


def test_runs_know_the_teacher_of_their_seed(tmp_path: Path) -> None:
    def job(row: str, seed: int, weights: str | None, kind: str = 'run') -> dict[str, Any]:
        inputs = {} if weights is None else {'model.teacher_checkpoint': weights}
        return dict(job=f'{row}_seed{seed}', kind=kind, row=row, seed=seed, state='done', metrics=dict(NDS=0.1),
                    identity=dict(inputs=inputs))  # fmt: skip

    one = [job('a', 0, None), job('b', 0, 'x'), job('c', 0, 'x'), job('few', 0, 'y')]
    two = [job('a', 1, None), job('b', 1, 'z'), job('a', 2, None), job('c', 3, 'z')]
    rows = [dict(name=name, title=name, base=None) for name in ('a', 'b', 'c', 'few')]
    paths = [manifest(tmp_path, name, jobs=jobs, rows=rows) for name, jobs in (('one', one), ('two', two))]
    runs = read_manifests(paths).runs.set_index(['row', 'seed'])['teacher'].to_dict()
    assert [runs['a', seed] for seed in (0, 1, 2)] == ['x', 'z', 'z'], 'of its seed, else of its session'
    assert runs['few', 0] == 'x', 'a teacher that belongs to the row is not another draw'
    held = manifest(tmp_path, 'held', jobs=[*one, job('a', 0, None, 'held_out')], rows=rows)
    assert list(read_manifests([held], held_out=True).runs['teacher']) == ['x']
    alone = manifest(tmp_path, 'alone', jobs=[job('a', 0, None)], rows=rows)
    assert list(read_manifests([alone]).runs['teacher']) == [str(alone)]


def test_sessions_of_one_study_are_one_table(tmp_path: Path) -> None:
    found = read_manifests([session(tmp_path, 'first', (0,)), session(tmp_path, 'second', (1, 2), base=None)])
    assert found.titles['b'] == 'B first', "title and base are the first session's"
    assert found.bases == dict(b='a')
    assert found.by_seed('b', 'NDS').to_dict() == pytest.approx({0: 0.3, 1: 0.4, 2: 0.5})


def test_a_run_that_a_session_took_over_counts_once(tmp_path: Path) -> None:
    def written(name: str, **different: Any) -> Path:
        job = dict(job='a_seed0', kind='run', row='a', seed=0, state='done', metrics=dict(NDS=0.1),
                   checkpoint=dict(sha256='x'))  # fmt: skip
        held = dict(job='final-a_seed0', kind='final', row='a', seed=0, state='done', metrics=dict(NDS=0.2),
                    identity=dict(inputs=dict(checkpoint='x')))  # fmt: skip
        rows = [dict(name='a', title='a', base=None)]
        return manifest(tmp_path, name, jobs=[job | different, held | different], rows=rows)

    first, second = written('first'), written('second')
    # Tested again, of which the time differs.
    second.write_text(second.read_text().replace('0.2}', '0.2, "time": 9.0}'))
    for held_out, nds in ((False, 0.1), (True, 0.2)):
        assert read_manifests([first, second], held_out).by_seed('a', 'NDS').to_dict() == {0: nds}
    with pytest.raises(ValueError, match=r'has seed 0 in .* and again in'):
        read_manifests([first, written('other', metrics=dict(NDS=0.3))])


def test_sessions_that_do_not_belong_together(tmp_path: Path) -> None:
    first = session(tmp_path, 'first', (0, 1))
    for other, message in (
        (session(tmp_path, 'again', (1,)), r"row 'a' has seed 1 in .*first\.json and again in .*again\.json"),
        (session(tmp_path, 'other', (2,), config='new'), r"row 'a' has another config in .*other\.json than in"),
    ):
        with pytest.raises(ValueError, match=message):
            read_manifests([first, other])


def test_code_and_data_are_compared_file_by_file(tmp_path: Path) -> None:
    parts = {'1': {'loss.py': 'x', 'project.py': 'p'}, '2': {'loss.py': 'x'}, '3': {'loss.py': 'y'}, 'd': {'i': 'z'}}
    first = session(tmp_path, 'first', (0,), identity=dict(code='1', data='d'), parts=parts)
    alike = session(tmp_path, 'alike', (1,), identity=dict(code='2', data='d'), parts=parts)
    other = session(tmp_path, 'other', (2,), identity=dict(code='3', data='d'), parts=parts)
    assert read_manifests([first, alike]).mixed() == [], 'a project of their own is no difference'
    assert read_manifests([first, other]).mixed() == ['code: loss.py x -> y (a_seed2, b_seed2)']
    found = read_manifests([first, other])
    found.rows, found.bases = ['a'], {}
    assert found.mixed() == ['code: loss.py x -> y (a_seed2)'], 'of the rows in the table'
    found.rows, found.bases = ['b'], dict(b='a')
    assert found.mixed() == ['code: loss.py x -> y (a_seed2, b_seed2)'], 'and of what they are compared with'


def test_parts_of_older_folders_lie_beside_the_manifest(tmp_path: Path) -> None:
    (tmp_path / 'known').mkdir()
    for name, text in (('1', 'x'), ('2', 'y')):
        (tmp_path / 'known' / f'{name}.json').write_text(json.dumps({'loss.py': text}))
    paths = [session(tmp_path, name, (int(name),), identity=dict(code=name)) for name in ('1', '2')]
    assert read_manifests(paths).mixed() == ['code: loss.py x -> y (a_seed2, b_seed2)']


def test_hashes_alone_are_compared_within_a_row() -> None:
    jobs = [
        dict(job=f'{row}_seed{seed}', row=row, identity=dict(code=code, data='same'))
        for row, seed, code in (('a', 0, 'k'), ('a', 1, 'k'), ('b', 0, 'other'), ('b', 1, 'new'))
    ]
    assert mixture(jobs[:3], {}) == []
    assert mixture(jobs, {}) == ['code: row b other -> new (b_seed1)']
    many = [dict(job=f'{n}_1', row=str(n), identity=dict(code=str(seed))) for seed in (0, 1) for n in range(12)]
    assert mixture(many, {})[-1] == 'and 4 more'


def test_published_manifests_say_what_they_mix() -> None:
    manifests = [PUBLISHED / f'benchmark{name}_manifest.json' for name in ('', '_first')]
    assert any(line.startswith('data: row student ') for line in read_manifests(manifests).mixed())
    alone = read_manifests(manifests[:1])
    assert len(alone.rows) > 20
    assert list(alone.bases) == [row for row in alone.titles if row in alone.bases], 'in the order of the rows'
    assert len(read_manifests(manifests[:1], held_out=True).runs) == 64


def test_work_dirs_of_a_study_bring_their_provenance(study: StudyFolder) -> None:
    study.run_plain('--until', 'student')
    runs = [study.out / 'runs' / f'student_seed{seed}' for seed in (0, 1)]
    found = read_work_dirs(runs)
    assert found.by_seed('student', 'NDS').to_dict() == {0: 0.1, 1: 0.11}
    assert found.mixed() == []
    record = study.out / 'records' / 'student_seed1.json'
    tree = json.loads(record.read_text())
    tree['made_from']['data']['nuscenes_infos_val.msgpack.gz'] = 'other'
    tree['identity']['data'] = 'other'
    record.write_text(json.dumps(tree))
    (line,) = read_work_dirs(runs).mixed()
    assert line.startswith('data: nuscenes_infos_val.msgpack.gz ')
    assert line.endswith('-> other (student_seed1)')
