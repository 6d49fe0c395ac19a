"""One job: its stages, its log's end when it fails, its lock, and that it dies with its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from study_folder import StudyFolder

from bevdistill.studies.run_job import environment, main, tail


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(0.02)
    return found


def start(study: StudyFolder, job: str) -> subprocess.Popen[bytes]:
    """The job in a process of its own, as Snakemake starts it."""
    words = [sys.executable, '-m', 'bevdistill.studies.run_job', str(study.out), job, '--parent', str(os.getpid())]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


def test_a_run_is_trained_and_tested(study: StudyFolder) -> None:
    study.plan()
    assert main([str(study.out), 'student_seed1', '--threads', '3']) == 0
    assert study.calls() == ['train student_seed1', 'test student_seed1']
    record = study.records()['student_seed1']
    assert record['state'] == 'done'
    assert record['metrics'] == pytest.approx(dict(NDS=0.11, mAP=0.05, time=0.1))
    assert record['checkpoint']['file'] == 'iter_4.pth'
    assert record['overrides'] == ['train_cfg.max_iters=4']
    assert [(a['stage'], a['exit'], a['threads']) for a in record['attempts']] == [('train', 0, 3), ('test', 0, 3)]
    assert all(0 < attempt['process_s'] <= attempt['wall_s'] * 4 for attempt in record['attempts'])
    assert (study.out / 'runs/student_seed1/threads').read_text() == '3'
    assert (study.out / 'logs/student_seed1-train.log').read_text().startswith('$ ')
    assert main([str(study.out), 'student_seed1']) == 0
    assert study.calls() == []


def test_inputs_are_named_by_their_files(study: StudyFolder) -> None:
    study.run_plain()
    log = (study.out / 'logs/distilled_seed1-train.log').read_text().splitlines()[0]
    assert f'model.teacher_checkpoint={study.out}/runs/teacher_seed0/iter_4.pth' in log
    test = (study.out / 'logs/distilled_seed1-test.log').read_text().splitlines()[0]
    assert f'{study.config} {study.out}/runs/distilled_seed1/iter_4.pth --work-dir' in test


def test_a_failure_shows_the_end_of_its_log(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    broken = study.tell('break-test-student_seed1')
    study.plan()
    assert main([str(study.out), 'student_seed1']) == 1
    error = study.records()['student_seed1']['error']
    assert error.startswith('test: exit status 3\n$ ')
    assert 'RuntimeError: this one was told to fail' in error
    assert error.endswith(f'the whole log: {study.out}/logs/student_seed1-test.log')
    assert 'told to fail' in capsys.readouterr().err
    broken.unlink()
    study.calls()
    assert main([str(study.out), 'student_seed1']) == 0
    assert study.calls() == ['test student_seed1'], 'the evaluation alone'
    assert 'error' not in study.records()['student_seed1']


def test_a_training_without_a_checkpoint_has_failed(study: StudyFolder) -> None:
    (study.tools / 'train.py').write_text("print('nothing to do')\n")
    study.plan()
    assert main([str(study.out), 'student_seed0']) == 1
    assert 'left no checkpoint' in study.records()['student_seed0']['error']
    assert 'nothing to do' in study.records()['student_seed0']['error']


def test_killed_and_run_again(study: StudyFolder) -> None:
    waiting = study.tell('wait-student_seed0')
    plan, _ = study.plan()
    process = start(study, 'student_seed0')
    until(lambda: (study.out / 'runs/student_seed0/iter_2.pth').exists())
    (program,) = psutil.Process(process.pid).children()
    assert plan.folder.is_running('student_seed0')
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE)
    until(lambda: not plan.folder.is_running('student_seed0'))
    assert study.records()['student_seed0']['state'] == 'running', 'a killed process cannot tell'
    waiting.unlink()
    study.calls()
    assert main([str(study.out), 'student_seed0']) == 0
    assert study.calls() == ['train student_seed0', 'test student_seed0']
    again = study.records()['student_seed0']
    assert [(a['stage'], a['exit']) for a in again['attempts']] == [('train', None), ('train', 0), ('test', 0)]
    # It went on where it was: the stand-in prints a line per step.
    log = (study.out / 'logs/student_seed0-train.log').read_text()
    assert log.count('Iter(') == 4


def test_a_second_process_waits_for_the_first(study: StudyFolder) -> None:
    waiting = study.tell('wait-student_seed0')
    study.plan()
    processes = [start(study, 'student_seed0')]
    until(lambda: (study.out / 'runs/student_seed0/iter_2.pth').exists())
    processes.append(start(study, 'student_seed0'))
    line = processes[1].stdout
    assert line is not None
    assert f'student_seed0: waiting for process {processes[0].pid} on' in line.readline().decode()
    waiting.unlink()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert study.calls() == ['train student_seed0', 'test student_seed0'], 'once'


def test_a_job_ends_when_its_parent_has_gone_before(study: StudyFolder) -> None:
    study.plan()
    words = [sys.executable, '-m', 'bevdistill.studies.run_job', str(study.out), 'student_seed0', '--parent', '1']
    assert subprocess.run(words).returncode == 1
    assert study.calls() == []


def test_variables_and_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONPATH', 'elsewhere')
    found = environment(2)
    assert (found['OMP_NUM_THREADS'], found['MKL_NUM_THREADS'], found['MPLBACKEND']) == ('2', '2', 'Agg')
    assert found['PYTHONPATH'].endswith(os.pathsep + 'elsewhere')
    log = tmp_path / 'a.log'
    log.write_text('old\n' + ''.join(f'line {number}\r\n\n' for number in range(100)))
    assert tail(log).splitlines()[0] == 'line 85'
    assert tail(log, log.stat().st_size) == ''


def test_manifest_keeps_each_set_of_hashes_once(study: StudyFolder) -> None:
    study.run_plain()
    plan, names = study.plan()
    plan.folder.write_manifest(dict(matrix='study'), dict.fromkeys(names, 'run') | dict(later='picture'))
    tree = json.loads((study.out / 'manifest.json').read_text())
    assert [job['state'] for job in tree['jobs']] == ['done'] * 6 + ['waiting']
    assert tree['jobs'][-1]['kind'] == 'picture', 'so that a comparison does not miss it'
    assert not [job for job in tree['jobs'] if 'made_from' in job]
    hashes = {job['identity'][part] for job in tree['jobs'][:6] for part in ('code', 'data')}
    assert tree['parts'].keys() == hashes
