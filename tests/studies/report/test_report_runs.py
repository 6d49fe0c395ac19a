"""Which runs a report is about: work dirs with names of their own, studies, and what is neither."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import WriteRun, steps

from bevdistill.studies.report.runs import find_runs, predictions_file


def test_seeds_are_one_row_and_the_first_row_is_the_base(write_run: WriteRun) -> None:
    names = ('student_seed0', 'student_seed1', 'distilled_seed0', 'distilled_seed1')
    dirs = [write_run(name, logs=[steps(1.0)], metrics={'NDS': place / 10}) for place, name in enumerate(names)]
    runs = find_runs(dirs)
    assert list(runs.titles) == ['student', 'distilled'] and runs.base == 'student' and not runs.notes
    assert [run.name for run in runs.of_row('distilled')] == ['distilled_seed0', 'distilled_seed1']
    assert runs.results is not None and runs.results.bases == {'distilled': 'student'}
    against = find_runs(dirs, 'distilled')
    assert against.results is not None and against.results.bases == {'student': 'distilled'}


def test_folders_of_one_name_are_told_apart(write_run: WriteRun, monkeypatch: pytest.MonkeyPatch) -> None:
    dirs = [write_run(f'{name}/latest', logs=[steps(1.0)], metrics={'NDS': 0.1}) for name in ('a', 'b')]
    assert list(find_runs(dirs).titles) == ['a/latest', 'b/latest']
    monkeypatch.chdir(dirs[0])
    assert list(find_runs([Path('.')]).titles) == ['latest']
    with pytest.raises(ValueError, match='latest is named twice; name each work dir once'):
        find_runs([Path('.'), dirs[0]])


def test_what_holds_no_run_is_refused_with_what_does(write_run: WriteRun, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='absent: expected a work dir, found nothing'):
        find_runs([tmp_path / 'absent'])
    (tmp_path / 'empty').mkdir()
    for _ in range(2):  # Second, as a data root: tables in a folder.
        with pytest.raises(FileNotFoundError, match='empty: expected the work dir of a run, found no log, result'):
            find_runs([tmp_path / 'empty'])
        (tmp_path / 'empty/v1.0-mini').mkdir(exist_ok=True)
        (tmp_path / 'empty/v1.0-mini/scene.json').write_text('{"NDS": 1}')
    run = write_run('runs/a', logs=[steps(1.0)])
    with pytest.raises(FileNotFoundError, match=re.escape(f'found a folder of 1 of them; name {run.parent}/*')):
        find_runs([run.parent])
    with pytest.raises(ValueError, match=re.escape("--against b: no such row; there are ['a']")):
        find_runs([run], 'b')
    untested = find_runs([run])
    assert untested.results is None and 'no test result in' in untested.notes[0]


def manifest(folder: Path, *jobs: dict[str, Any]) -> Path:
    rows = [dict(name='teacher', title='Teacher', base=None), dict(name='student', title='Student', base='teacher')]
    (folder / 'manifest.json').write_text(json.dumps(dict(rows=rows, metrics=['NDS'], jobs=jobs)))
    return folder


def job(row: str, seed: int, **more: Any) -> dict[str, Any]:
    name = f'{row}_seed{seed}'
    return dict(job=name, kind='run', row=row, seed=seed, state='done', metrics={'NDS': 0.1 * seed}) | more


def test_a_study_has_its_own_titles_and_bases(write_run: WriteRun, tmp_path: Path) -> None:
    write_run('runs/teacher_seed1', logs=[steps(1.0)])
    write_run('runs/student_seed1', logs=[steps(1.0)])
    study = manifest(tmp_path, job('teacher', 1), job('student', 1, work_dir='runs/student_seed1'), job('student', 2))
    for path in (study, study / 'manifest.json'):
        runs = find_runs([path])
        assert runs.titles == {'teacher': 'Teacher', 'student': 'Student'} and runs.base == 'teacher'
        assert runs.results is not None and runs.results.bases == {'student': 'teacher'}
        assert [run.name for run in runs.runs] == ['teacher_seed1', 'student_seed1']
        assert runs.notes == [f'{tmp_path}/runs/student_seed2 is not there: no curves and pictures of student_seed2']
    with pytest.raises(ValueError, match=r'about work dirs or about studies, got both: .*\(study\), .*\(work dir\)'):
        find_runs([study, tmp_path / 'runs/teacher_seed1'])
    for sign in tmp_path.glob('runs/*'):
        sign.rename(tmp_path / f'{sign.name}.away')
    with pytest.raises(FileNotFoundError, match=r'found none; .* bevdistill compare \S*manifest\.json$'):
        find_runs([study])
    manifest(tmp_path, job('student', 1, work_dir='../elsewhere'))
    with pytest.raises(ValueError, match=r'expected work dirs inside the folder of the study, found \.\./elsewhere'):
        find_runs([study])
    manifest(tmp_path, job('student', 7, state='waiting', metrics=None))
    with pytest.raises(FileNotFoundError, match='no run has begun'):
        find_runs([study])


def test_the_newest_predictions_count(write_run: WriteRun) -> None:
    run = write_run('a b', logs=[steps(1.0)])
    assert predictions_file(run) is None
    for age, name in enumerate(('boxes.json', 'predictions/pred_instances_3d/results_nusc.json')):
        file = run / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{}')
        os.utime(file, (age, age))
        assert predictions_file(run) == file


def test_scores_of_another_checkpoint_are_noted(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run('student', logs=[steps(1.0)], metrics={'NDS': 0.1})
    facts = dict(checkpoint=str(tmp_path / 'other.pth'), sha256='0123456789abcdef')
    (result,) = run.glob('*/2*.json')
    (result.parent / 'tested.json').write_text(json.dumps(facts))
    assert find_runs([run]).notes == [f'student: scores of {tmp_path}/other.pth (SHA-256 0123456789ab)']


def test_a_folder_of_many_runs_is_counted(write_run: WriteRun) -> None:
    runs = [write_run(f'runs/{name}', logs=[steps(1.0)]) for name in 'abc']
    with pytest.raises(FileNotFoundError) as error:
        find_runs([runs[0].parent])
    folder = runs[0].parent
    assert str(error.value) == f'{folder}: expected a work dir, found a folder of 3 of them; name {folder}/*'
