"""A study on Snakemake, with stand-ins for the commands: everything once, side by side, killed, stopped, failing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from study_folder import EVERYTHING, StudyFolder
from test_run_job import until

from bevdistill.studies.results import read_manifests
from bevdistill.studies.workflow import alone, command

pytestmark = pytest.mark.usefixtures('without_pictures', 'forked_snakemake')


def in_another_process(study: StudyFolder, *words: str) -> Any:
    """The verb in a process of its own, which has all imports already."""
    process = multiprocessing.get_context('fork').Process(target=lambda: os._exit(study.run(*words)))
    process.start()
    return process


def test_everything_once_then_nothing(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert study.run('--cores', '2', '--every', '0.5') == 0
    calls = study.calls()
    assert sorted(calls) == sorted(EVERYTHING), 'the teacher and its cache once'
    assert calls.index('cache_teacher outputs') > calls.index('train teacher_seed0')
    assert calls.index('train distilled_seed0') > calls.index('cache_teacher outputs')
    shown = capsys.readouterr().out
    assert '6 jobs in' in shown
    assert '1 thread each' in shown
    assert f'teacher_seed0: train (log: {study.out}/logs/teacher_seed0-train.log)' in shown
    assert '6 of 6 jobs done' in shown
    assert 'distilled_seed1: done in' in shown
    assert 'mean difference to `student`' in shown.replace('Mean ± sample', 'Mean ± sample').lower()
    assert (study.out / 'results.md').read_text().startswith('| model | seeds | NDS |')
    manifest, jobs = study.manifest(), study.jobs()
    assert {entry['state'] for entry in jobs.values()} == {'done'}
    assert manifest['code'].keys() == {'commit', 'dirty'}
    results = read_manifests([study.out / 'manifest.json'])
    assert results.bases == {'distilled': 'student'}
    assert results.by_seed('student', 'NDS').to_dict() == {0: 0.1, 1: 0.11}
    assert results.mixed() == []

    assert study.run() == 0
    assert study.calls() == []
    # Two trainings of one thread each were under way at once.
    attempts = [jobs[name]['attempts'] for name in ('teacher_seed0', 'student_seed0')]
    assert {attempt['threads'] for entries in attempts for attempt in entries} == {1}


def test_two_trainings_run_side_by_side(study: StudyFolder) -> None:
    study.tree.update(seeds=[0], rows=study.tree['rows'][:2])
    waiting = [study.tell(f'wait-{name}') for name in ('teacher_seed0', 'student_seed0')]
    process = in_another_process(study, '--cores', '2')
    for name in ('teacher_seed0', 'student_seed0'):
        until(lambda name=name: (study.out / f'runs/{name}/iter_2.pth').exists())  # type: ignore[misc]
    for file in waiting:
        file.unlink()
    process.join(120)
    assert process.exitcode == 0


def test_a_failure_stops_what_needs_it_and_nothing_else(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    broken = study.tell('break-cache_teacher-outputs')
    assert study.run('--cores', '2') == 1
    shown = capsys.readouterr().out
    assert 'RuntimeError: this one was told to fail' in shown
    assert 'logs/cache-outputs-cache.log' in shown
    assert 'distilled_seed0: waiting, not run: needs cache-outputs' in shown
    done = {name for name, entry in study.jobs().items() if entry['state'] == 'done'}
    assert done == {'teacher_seed0', 'student_seed0', 'student_seed1'}
    assert 'told to fail' in study.jobs()['cache-outputs']['error']
    broken.unlink()
    study.calls()
    assert study.run() == 0
    assert sorted(study.calls()) == sorted(words for words in EVERYTHING if 'outputs' in words or 'distilled' in words)
    assert 'error' not in study.jobs()['cache-outputs']


def test_killed_and_run_again(study: StudyFolder) -> None:
    waiting = study.tell('wait-student_seed0')
    process = in_another_process(study, '--until', 'student')
    until(lambda: (study.out / 'runs/student_seed0/iter_2.pth').exists())
    family = psutil.Process(process.pid).children(recursive=True)
    assert any('train.py' in ' '.join(member.cmdline()) for member in family)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    until(lambda: not [member for member in family if member.is_running() and member.status() != 'zombie'])
    waiting.unlink()
    assert study.run(action='ls') == 0
    study.calls()
    assert study.run('--until', 'student') == 0, 'the lock of the killed process is taken over'
    assert study.calls() == [words for words in EVERYTHING if 'student' in words]
    attempts = [(a['stage'], a['exit']) for a in study.jobs()['student_seed0']['attempts']]
    assert attempts == [('train', None), ('train', 0), ('test', 0)]


def test_stopped_politely_and_meanwhile_alone(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    study.tell('wait-student_seed0')
    process = in_another_process(study, '--until', 'student')
    until(lambda: (study.out / 'runs/student_seed0/iter_2.pth').exists())
    assert study.run() == 2
    assert f'is run by process {process.pid} on' in capsys.readouterr().err
    assert study.run('--until', 'student', action='ls') == 0
    assert 'student_seed0  running' in capsys.readouterr().out
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 130
    assert not [member for member in family if member.is_running() and member.status() != 'zombie']
    assert study.jobs()['student_seed0']['state'] == 'stopped'


def test_the_held_out_world_once_and_last(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert study.run('--held-out', '--until', 'student') == 2
    assert 'waits for all rows of the study; not done: teacher_seed0' in capsys.readouterr().err
    assert study.calls() == []
    study.run_plain()
    study.calls()
    assert study.run('--held-out') == 0
    assert study.calls() == [words for words in EVERYTHING if words.startswith('test')]
    assert study.run('--held-out') == 0
    assert study.run() == 0
    assert study.calls() == []
    results = read_manifests([study.out / 'manifest.json'], held_out=True)
    assert results.by_seed('student', 'NDS').to_dict() == pytest.approx({0: 0.6, 1: 0.61})


def test_data_and_pictures_are_part_of_a_study(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    study.tree.update(data='{out}/data', synthetic=dict(preset='tiny'), pictures=1, seeds=[3], label='Not real.')
    study.tree['rows'] = study.tree['rows'][:2]
    everything = [
        'make_synthetic_nuscenes data', 'create_data data', 'train teacher_seed0', 'test teacher_seed0',
        'train student_seed3', 'test student_seed3', 'visualize teacher', 'visualize student',
    ]  # fmt: skip
    study.run_plain()
    assert study.calls() == everything
    assert study.run('--restart') == 0
    assert study.calls() == everything
    shown = capsys.readouterr().out
    assert 'Not real.' in shown
    assert 'One seed per row' in shown
    study.out = study.folder / 'data'
    with pytest.raises(FileExistsError, match='which a study did not write'):
        study.run('--restart')


def test_without_snakemake_one_line_says_what_to_install(study: StudyFolder, monkeypatch: pytest.MonkeyPatch,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    assert study.run() == 2
    assert "pip install 'bevdistill[studies]'" in capsys.readouterr().err


def test_a_failure_of_snakemake_itself_is_shown(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('bevdistill.studies.workflow.SNAKEFILE', 'this is no rule\n')
    with pytest.raises(ChildProcessError, match=r'(?s)Snakemake failed:.*SyntaxError.*snakemake\.log'):
        study.run()


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    began = time.monotonic()
    with alone(tmp_path), pytest.raises(ValueError, match=f'is run by process {os.getpid()} on'), alone(tmp_path):
        pass
    assert time.monotonic() - began < 5.0
    with alone(tmp_path):
        pass


def test_a_single_job_leaves_no_core_too_many(study: StudyFolder) -> None:
    study.tree['rows'] = [
        study.tree['rows'][0], dict(study.tree['rows'][2], seeds=[0, 1, 2], base=None),
    ]  # fmt: skip
    assert study.run('--cores', '1') == 0
    words = study.calls()
    assert [word.split()[0] for word in words] == ['train', 'test', 'cache_teacher', *['train', 'test'] * 3]
    # Each pair is one run, from its training to its test.
    assert all(first.split()[1] == second.split()[1] for first, second in zip(words[3::2], words[4::2], strict=True))


def test_profiles_are_ours_or_the_users() -> None:
    assert command(2, None)[5:7] == ['--cores', '2']
    ours, own = command(2, 'slurm'), command(2, 'my/profile')
    assert ours[5] == own[5] == '--profile'
    assert ours[6].endswith('configs/studies/profiles/slurm')
    assert own[6] == 'my/profile'
