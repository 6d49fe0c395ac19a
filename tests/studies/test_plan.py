"""Results that no longer fit: refused by name, kept, or made again with all that stands on them."""

from __future__ import annotations

from typing import Any

import pytest
from study_folder import EVERYTHING, StudyFolder

from bevdistill.studies import fingerprints
from bevdistill.studies.plan import Plan, StaleError


def change(study: StudyFolder, what: str) -> tuple[str, set[str]]:
    """Change something; returns how it is named and the jobs that it concerns."""
    distilled = {'distilled_seed0', 'distilled_seed1'}
    if what == 'override':
        study.tree['rows'][2]['overrides']['model.lr'] = 3.0
        return 'config: model.lr 2.0 -> 3.0', distilled
    if what == 'config':
        (study.folder / 'teacher.py').write_text((study.folder / 'teacher.py').read_text() + 'extra = dict(a=1)\n')
        return 'config: extra.a absent -> 1', {'teacher_seed0', 'teacher_seed1'}
    if what == 'data':
        (study.folder / 'data/nuscenes_infos_train.msgpack.gz').write_text('new')
        return 'data: nuscenes_infos_train.msgpack.gz', set(study.records())
    study.tree['rows'][2]['inputs'] = {'model.teacher_checkpoint': 'teacher:1'}
    return 'inputs: ', distilled


@pytest.mark.parametrize('what', ['override', 'config', 'data', 'input'])
def test_changes_are_refused_and_named_or_kept(study: StudyFolder, what: str) -> None:
    study.tree['rows'][0]['seeds'] = [0, 1]
    study.tree['rows'][2]['inputs'] = {'model.teacher_checkpoint': 'teacher:0'}
    study.tree['caches']['outputs']['checkpoint'] = 'teacher:0'
    assert set(study.run_plain().values()) == {0}
    study.calls()
    words, concerned = change(study, what)
    with pytest.raises(StaleError) as error:
        study.plan()
    assert words in str(error.value)
    assert '--stale redo' in str(error.value)
    assert {name for name in study.records() if f'\n  {name}\n' in str(error.value)} == concerned

    assert study.run_plain('--stale', 'keep') == {}
    assert {name for name, record in study.records().items() if record.get('kept')} == concerned
    assert study.run_plain() == {}, 'what was kept once is kept'
    assert study.calls() == []


def test_redo_runs_again_what_changed_and_what_stands_on_it(study: StudyFolder) -> None:
    study.run_plain()
    study.calls()
    study.tree['rows'][0]['overrides'] = {'model.lr': 5.0}
    study.run_plain('--stale', 'redo')
    assert study.calls() == [words for words in EVERYTHING if 'student' not in words]
    assert study.records()['teacher_seed0']['metrics']['NDS'] == 0.5


def test_what_is_made_again_alike_changes_nothing_behind_it(study: StudyFolder) -> None:
    study.run_plain()
    study.calls()
    (study.folder / 'teacher.py').write_text((study.folder / 'teacher.py').read_text() + 'extra = 1\n')
    study.run_plain('--stale', 'redo')
    assert study.calls() == ['train teacher_seed0', 'test teacher_seed0']


def test_code_that_changes_meanwhile_stops_what_has_not_begun(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = study.out / 'runs' / 'student_seed0' / 'iter_4.pth'
    parts = fingerprints.code_parts()
    assert 'bevdistill/losses/__init__.py' in parts
    assert not [name for name in parts if name.startswith(('bevdistill/studies', 'bevdistill/synthetic'))]
    monkeypatch.setattr(fingerprints, 'code_parts', lambda folders=(): {'a.py': 'new' if trained.exists() else 'old'})
    assert study.run_plain() == dict(teacher_seed0=0, student_seed0=0, student_seed1=1, **{'cache-outputs': 1})
    record = study.records()['student_seed1']
    assert record['state'] == 'stale'
    assert 'the code was changed while the study ran' in record['error']
    assert 'a.py old -> new' in record['error']
    with pytest.raises(StaleError, match=r'code: a\.py old -> new'):
        study.plan()


def test_every_result_says_what_it_was_made_from(study: StudyFolder) -> None:
    study.run_plain()
    records = study.records()
    run: dict[str, Any] = records['distilled_seed1']
    assert run['identity'].keys() == {'config', 'code', 'data', 'seed', 'inputs', 'cache'}
    assert run['identity']['seed'] == 1
    assert run['identity']['inputs'] == {'model.teacher_checkpoint': records['teacher_seed0']['checkpoint']['sha256']}
    assert run['made_from']['config']['model.lr'] == '2.0'
    assert run['made_from']['config']['model.teacher_checkpoint'] == "'input.pth'", 'its content counts, not its place'
    assert len(run['made_from']['code']) > 50
    assert run['made_from']['data'].keys() == {'nuscenes_infos_train.msgpack.gz', 'nuscenes_infos_val.msgpack.gz'}
    assert run['identity']['data'] == fingerprints.digest(run['made_from']['data'])
    assert run['machine'].keys() >= {'torch', 'mmdet3d', 'python', 'host'}
    assert run['code_version'].keys() == {'commit', 'dirty'}


def test_missing_information_files_name_the_command_that_writes_them(study: StudyFolder) -> None:
    (study.folder / 'data' / 'nuscenes_infos_val.msgpack.gz').unlink()
    assert study.run_plain('--until', 'student') == dict(student_seed0=1, student_seed1=1)
    assert 'bevdistill data create nuscenes --root-path' in study.records()['student_seed0']['error']


def test_data_of_others_is_not_replaced(study: StudyFolder) -> None:
    study.tree['synthetic'] = dict(preset='tiny')
    assert study.run_plain() == dict(data=1)
    assert 'was not made by this study' in study.records()['data']['error']
    assert (study.folder / 'data' / 'nuscenes_infos_val.msgpack.gz').read_text() == 'data val'


def test_a_plan_is_read_as_it_was_written(study: StudyFolder) -> None:
    plan, _ = study.plan('--held-out')
    again = Plan.load(study.out)
    assert again.jobs.keys() == plan.jobs.keys()
    assert again.jobs['student_seed0'].needs == plan.jobs['student_seed0'].needs
    assert again.configs == plan.configs
