"""The end of a session: what is said of jobs that are not done, the table, and the manifest's head."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from study_folder import StudyFolder

from bevdistill.cli import study as verb
from bevdistill.studies import session


def conclude(study: StudyFolder, states: dict[str, str]) -> int:
    """The end of a session in which the jobs came to these states."""
    spec, plan, names = verb.prepare(study.arguments())
    plan.folder.write_manifest(session.manifest_head(spec, 'study.yml'), {name: plan.jobs[name].kind for name in names})
    return session._conclude(spec, plan, {name: states.get(name, 'done') for name in names})


def test_all_done_ends_with_the_table_and_its_files(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    study.tree['label'] = 'Nothing real.'
    study.run_plain()
    assert conclude(study, {}) == 0
    shown = capsys.readouterr().out
    assert '6 of 6 jobs done' in shown
    assert re.search(r'^ *distilled +2 0\.205 ± 0\.007 \+0\.100', shown, re.MULTILINE)
    assert shown.index('Nothing real.') < shown.index('Mean ± sample standard deviation')
    assert 'One seed per row' not in shown
    assert f'manifest: {study.out}/manifest.json' in shown
    assert f'bevdistill report {study.out}\n' in shown
    names = ('results.md', 'results.csv', 'results_seeds.csv', 'results_NDS.png')
    assert all((study.out / name).is_file() for name in names)
    assert (study.out / 'results.md').read_text().splitlines()[4].startswith('| distilled | 2 | 0.205 ± 0.007 | +0.100')


def test_what_is_not_done_is_said_with_what_it_needs(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    study.run_plain('--until', 'student')
    states = dict.fromkeys(('cache-outputs', 'distilled_seed0', 'distilled_seed1'), 'waiting')
    assert conclude(study, dict(states, teacher_seed0='failed')) == 1
    shown = capsys.readouterr().out
    assert 'teacher_seed0: failed\n' in shown
    assert 'distilled_seed0: waiting, not run: needs teacher_seed0, cache-outputs' in shown
    assert '2 of 6 jobs done' in shown
    assert 'student' in shown, 'the table of what is there'


def test_nothing_done_has_no_table(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    names = ('teacher_seed0', 'student_seed0', 'student_seed1', 'cache-outputs', 'distilled_seed0', 'distilled_seed1')
    study.plan()
    assert conclude(study, dict.fromkeys(names, 'failed')) == 1
    assert 'table:' not in capsys.readouterr().out
    assert not (study.out / 'results.md').exists()


def test_one_seed_is_a_warning(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    study.tree['seeds'] = [0]
    study.run_plain()
    assert conclude(study, {}) == 0
    assert 'One seed per row: the spread over seeds is unknown' in capsys.readouterr().out


def test_head_of_the_manifest(study: StudyFolder) -> None:
    spec, _, _ = verb.prepare(study.arguments())
    head = session.manifest_head(spec, 'study.yml')
    assert (head['matrix'], head['file'], head['metrics']) == ('study', 'study.yml', ['NDS', 'mAP'])
    assert head['rows'][2] == dict(
        name='distilled', title='distilled', config=study.config, base='student', seeds=[0, 1]
    )  # fmt: skip
    assert head['machine'].keys() >= {'host', 'torch'}


def test_restart_takes_away_a_study_and_nothing_else(study: StudyFolder, tmp_path: Path) -> None:
    study.run_plain('--until', 'student')
    plan, _ = study.plan()
    spec, _, _ = verb.prepare(study.arguments())
    session._require_place(spec, plan, restart=True)
    (study.out / 'thesis.tex').write_text('years')
    message = 'holds thesis.tex, which a study did not write; name a new or empty folder with --out'
    with pytest.raises(FileExistsError, match=message):
        session._require_place(spec, plan, restart=True)
    session._require_place(spec, plan, restart=False)
    plan.folder.plan_file.unlink()
    with pytest.raises(FileExistsError, match=message):
        session._require_place(spec, plan, restart=False)
    (study.out / 'thesis.tex').unlink()
    session._require_place(spec, plan, restart=False)
    with pytest.raises(FileExistsError, match='holds done, locks, logs and 2 more, which a study did not write'):
        session._require_place(spec, plan, restart=True)


def test_data_that_are_not_there_are_told_before_anything_runs(
    study: StudyFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study.run('--data', str(study.folder / 'nowhere')) == 2
    assert re.search(r'no data at .*/nowhere; name their folder in the study file', capsys.readouterr().err)
    assert not study.out.exists()


def test_the_folder_of_another_study_is_left_alone(study: StudyFolder) -> None:
    study.run_plain('--until', 'student')
    plan, _ = study.plan()
    spec, _, _ = verb.prepare(study.arguments())
    (study.out / 'manifest.json').write_text('{"matrix": "ours"}')
    for restart in (False, True):
        with pytest.raises(ValueError, match="holds the study 'ours', and this one is 'study'; name another folder"):
            session._require_place(spec, plan, restart)
