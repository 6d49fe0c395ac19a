"""Jobs of a study: their commands, their order, what they need."""

from __future__ import annotations

import shlex

import pytest
from study_folder import StudyFolder

from bevdistill.studies.graph import first_seeds_first, with_needs
from bevdistill.studies.workflow import side_by_side


def command(study: StudyFolder, job: str, stage: str, *words: str) -> str:
    plan, _ = study.plan(*words)
    return shlex.join(dict(plan.jobs[job].stages)[stage])


def test_commands_name_data_inputs_and_cache(study: StudyFolder) -> None:
    train = command(study, 'distilled_seed1', 'train')
    for words in (
        f'--work-dir {study.out}/runs/distilled_seed1 --seed 1 --resume auto',
        f'train_dataloader.dataset.data_root={study.folder}/data/',
        "'model.teacher_checkpoint=<checkpoint of teacher_seed0>'",
        f'model.teacher_cache={study.out}/caches/outputs',
        'val_cfg=None val_dataloader=None val_evaluator=None train_cfg.max_iters=4 model.lr=2.0',
    ):
        assert words in train
    test = command(study, 'distilled_seed1', 'test')
    assert 'teacher_cache' not in test
    assert 'val_cfg' not in test
    assert f'+test_evaluator.jsonfile_prefix={study.out}/runs/distilled_seed1/predictions' in test
    assert f'test_evaluator.data_root={study.folder}/data/' in test
    cache = command(study, 'cache-outputs', 'cache')
    assert f"'<checkpoint of teacher_seed0>' --out {study.out}/caches/outputs --dtype float16" in cache
    study.tree['predictions'] = False
    assert 'jsonfile_prefix' not in command(study, 'distilled_seed1', 'test')


def test_order_and_needs(study: StudyFolder) -> None:
    plan, names = study.plan()
    assert names == [
        'teacher_seed0', 'student_seed0', 'student_seed1', 'cache-outputs', 'distilled_seed0', 'distilled_seed1'
    ]  # fmt: skip
    assert plan.jobs['distilled_seed1'].needs == ['teacher_seed0', 'cache-outputs']
    assert plan.jobs['cache-outputs'].needs == ['teacher_seed0']
    assert plan.jobs['student_seed0'].needs == []


def test_weights_from_a_file_need_no_job(study: StudyFolder) -> None:
    (study.folder / 'given.pth').write_text('weights')
    given = str(study.folder / 'given.pth')
    study.tree['rows'][2]['inputs'] = {'model.teacher_checkpoint': given}
    study.tree['caches']['outputs']['checkpoint'] = given
    plan, names = study.plan('--until', 'distilled')
    assert names == ['cache-outputs', 'distilled_seed0', 'distilled_seed1']
    assert plan.jobs['cache-outputs'].needs == []
    assert f'model.teacher_checkpoint={given}' in command(study, 'distilled_seed0', 'train')


def test_seed_by_seed(study: StudyFolder) -> None:
    study.tree['order'] = 'seeds'
    # A row above with the seeds turned round: what needs it still waits for it.
    study.tree['rows'].insert(1, dict(name='first', config=study.config, seeds=[1, 0]))
    needs = {'model.teacher_checkpoint': 'first'}
    study.tree['rows'].append(dict(name='last', config=study.config, seeds=[0], inputs=needs))
    assert study.plan()[1] == [
        'teacher_seed0', 'first_seed1', 'student_seed0', 'cache-outputs', 'distilled_seed0',
        'first_seed0', 'student_seed1', 'distilled_seed1', 'last_seed0',
    ]  # fmt: skip
    assert first_seeds_first({}, {}) == {}


def test_a_choice_of_rows(study: StudyFolder) -> None:
    study.tree['rows'][2]['optional'] = True
    plan, names = study.plan()
    assert names == ['teacher_seed0', 'student_seed0', 'student_seed1'], 'nor the cache that it alone needs'
    assert with_needs(plan.jobs, ['distilled']) == [
        'teacher_seed0', 'cache-outputs', 'distilled_seed0', 'distilled_seed1'
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"no rows \['studnet'\]; there are \['teacher', 'student', 'distilled'\]"):
        with_needs(plan.jobs, ['studnet'])


def test_held_out_tests_need_every_run(study: StudyFolder) -> None:
    plan, names = study.plan('--held-out')
    test = plan.jobs['held-out-student_seed1']
    assert names[-1] == 'held-out-distilled_seed1'
    assert test.needs == names[:6]
    assert f'data_root={study.folder}/second/' in shlex.join(test.stages[0][1])
    del study.tree['held_out_data']
    with pytest.raises(ValueError, match='--held-out needs held_out_data'):
        study.plan('--held-out')


def test_data_first_and_pictures_last(study: StudyFolder) -> None:
    study.tree.update(data='{out}/data', synthetic=dict(preset='tiny', seed=3), pictures=1)
    plan, names = study.plan()
    assert names[0] == 'data'
    assert names[-3:] == ['picture-teacher', 'picture-student', 'picture-distilled']
    assert all(job.needs[0] == 'data' for name, job in plan.jobs.items() if name != 'data')
    make, infos = (shlex.join(words) for _, words in plan.jobs['data'].stages)
    assert f'{study.out}/data --preset tiny --version v1.0-trainval --seed 3' in make
    assert f'nuscenes --root-path {study.out}/data --version v1.0-trainval' in infos
    student, teacher = (shlex.join(plan.jobs[f'picture-{row}'].stages[0][1]) for row in ('student', 'teacher'))
    assert f"--teacher {study.folder}/teacher.py '<checkpoint of teacher_seed0>'" in student
    assert f"--student {study.config} '<checkpoint of distilled_seed0>'" in teacher
    assert f'--out {study.out}/pictures/student --num 1 --title student' in student
    assert '--beside' not in student
    distilled = plan.jobs['picture-distilled']
    assert f"--beside student {study.config} '<checkpoint of student_seed0>'" in shlex.join(distilled.stages[0][1])
    assert 'student_seed0' in distilled.needs
    assert side_by_side(plan, names, 8) == 3, 'pictures take no thread from a training'


def test_overrides_that_do_not_fit_are_all_named(study: StudyFolder) -> None:
    study.tree['rows'][2]['overrides'] = {'model.lrr': 1}
    study.tree['rows'][1]['inputs'] = {'model.teacher': 'teacher'}
    with pytest.raises(ValueError, match=r"row 'student': cannot") as error:
        study.plan()
    assert "row 'distilled': cannot override" in str(error.value)
    assert "did you mean 'model.lr'?" in str(error.value)


def test_threads_share_the_cores_among_the_jobs_that_can_run_together(study: StudyFolder) -> None:
    plan, names = study.plan()
    # The teacher and two students stand at the first depth.
    assert [side_by_side(plan, names, cores) for cores in (1, 2, 8)] == [1, 2, 3]
    assert side_by_side(plan, ['cache-outputs'], 8) == 1
    assert side_by_side(plan, [], 8) == 1
