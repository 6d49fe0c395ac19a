"""tools/run_matrix.py with stand-ins for the tools: order, resuming, failures, changes, two matrices at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from matrix_folder import Stage

from tools.analysis_tools.compare_runs import read_manifests
from tools.matrix_run import identity
from tools.matrix_run.locks import process_start

EVERYTHING = [
    'train teacher_seed0', 'test teacher_seed0', 'train student_seed0', 'test student_seed0', 'train student_seed1',
    'test student_seed1', 'cache_teacher outputs', 'train distilled_seed0', 'test distilled_seed0',
    'train distilled_seed1', 'test distilled_seed1',
]  # fmt: skip


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(0.02)
    return found


def in_another_process(stage: Stage, *words: str) -> Any:
    """The tool in a process of its own, which has all imports already."""
    process = multiprocessing.get_context('fork').Process(target=lambda: os._exit(stage.run(*words)))
    process.start()
    return process


def test_everything_once_then_nothing(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage.run() == 0
    assert sorted(stage.calls()) == sorted(EVERYTHING)
    shown = capsys.readouterr().out
    assert '6 of 6 jobs done' in shown
    manifest, jobs = stage.manifest(), stage.jobs()
    assert {entry['state'] for entry in jobs.values()} == {'done'}
    run = jobs['distilled_seed1']
    assert run['metrics'] == pytest.approx(dict(NDS=0.21, mAP=0.1, time=0.1))
    assert run['checkpoint']['file'] == 'iter_4.pth'
    assert run['overrides'] == ['train_cfg.max_iters=4', 'model.lr=2.0']
    assert run['identity'].keys() == {'config', 'code', 'data', 'seed', 'inputs', 'cache'}
    assert run['identity']['inputs'] == {'model.teacher_checkpoint': jobs['teacher_seed0']['checkpoint']['sha256']}
    assert [attempt['stage'] for attempt in run['attempts']] == ['train', 'test']
    assert all(a['exit'] == 0 and 0 < a['process_s'] <= a['wall_s'] * 4 for a in run['attempts'])
    assert manifest['code'].keys() == {'commit', 'dirty'}
    rows = {row.name: row for row in read_manifests([stage.out / 'manifest.json']).rows}
    assert rows['distilled'].base is rows['student']
    assert rows['student'].by_seed('NDS') == {0: 0.1, 1: 0.11}

    assert stage.run() == 0
    assert stage.calls() == []


def test_commands_name_data_inputs_and_cache(stage: Stage) -> None:
    assert stage.run() == 0
    log = (stage.out / 'logs' / 'distilled_seed1-train.log').read_text().splitlines()[0]
    for words in (
        f'--work-dir {stage.out}/runs/distilled_seed1 --seed 1 --resume auto',
        f'train_dataloader.dataset.data_root={stage.folder}/data/',
        f'model.teacher_checkpoint={stage.out}/runs/teacher_seed0/iter_4.pth',
        f'model.teacher_cache={stage.out}/caches/outputs',
        'val_cfg=None val_dataloader=None val_evaluator=None train_cfg.max_iters=4 model.lr=2.0',
    ):
        assert words in log
    test = (stage.out / 'logs' / 'distilled_seed1-test.log').read_text().splitlines()[0]
    assert 'teacher_cache' not in test and 'val_cfg' not in test
    assert f'+test_evaluator.jsonfile_prefix={stage.out}/runs/distilled_seed1/predictions' in test
    assert f'test_evaluator.data_root={stage.folder}/data/' in test
    cache = (stage.out / 'logs' / 'cache-outputs-cache.log').read_text().splitlines()[0]
    assert f'{stage.out}/runs/teacher_seed0/iter_4.pth --out {stage.out}/caches/outputs --dtype float16' in cache


def test_a_failure_stops_what_needs_it_and_nothing_else(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    broken = stage.tell('break-cache_teacher-outputs')
    assert stage.run('--jobs', '2') == 1
    shown = capsys.readouterr().out
    assert 'RuntimeError: this one was told to fail' in shown and 'logs/cache-outputs-cache.log' in shown
    assert 'distilled_seed0: blocked' in shown and 'waits for cache-outputs' in shown
    assert {name: entry['state'] for name, entry in stage.jobs().items() if entry['state'] == 'done'}.keys() == {
        'teacher_seed0', 'student_seed0', 'student_seed1'
    }  # fmt: skip
    assert 'told to fail' in stage.jobs()['cache-outputs']['error']
    broken.unlink()
    stage.calls()
    assert stage.run() == 0
    assert stage.calls() == [words for words in EVERYTHING if 'outputs' in words or 'distilled' in words]
    assert 'error' not in stage.jobs()['cache-outputs']


def test_an_evaluation_is_made_again_only_where_it_is_missing(stage: Stage) -> None:
    broken = stage.tell('break-test-student_seed1')
    assert stage.run() == 1
    broken.unlink()
    stage.calls()
    assert stage.run() == 0
    assert stage.calls() == ['test student_seed1']


def test_killed_and_run_again(stage: Stage) -> None:
    waiting = stage.tell('wait-student_seed0')
    process = in_another_process(stage)
    until(lambda: (stage.out / 'runs/student_seed0/iter_2.pth').exists())
    log = stage.out / 'locks/student_seed0.lock'
    program = until(lambda: json.loads(log.read_text()).get('program'))[0]
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    until(lambda: process_start(program) is None)
    assert log.exists(), 'a killed process cannot give its lock back'
    assert stage.jobs()['student_seed0']['state'] == 'running'
    waiting.unlink()
    assert 'train student_seed0' in stage.calls()
    assert stage.run() == 0
    assert stage.calls()[0] == 'train student_seed0'
    again = stage.jobs()['student_seed0']
    assert [(a['stage'], a['exit']) for a in again['attempts']] == [('train', None), ('train', 0), ('test', 0)]
    # It went on where it was: the stand-in prints a line per step.
    steps = [line for line in (stage.out / 'logs/student_seed0-train.log').read_text().splitlines() if 'Iter(' in line]
    assert len(steps) == 4


def test_stopped_politely(stage: Stage) -> None:
    stage.tell('wait-student_seed0')
    process = in_another_process(stage)
    until(lambda: (stage.out / 'runs/student_seed0/iter_2.pth').exists())
    os.kill(process.pid, signal.SIGTERM)
    process.join(20)
    assert process.exitcode == 130
    assert stage.jobs()['student_seed0']['state'] == 'stopped'
    assert not list((stage.out / 'locks').glob('*.lock'))


def test_two_matrices_share_the_work(stage: Stage) -> None:
    for _ in range(2):
        processes = [in_another_process(stage, '--jobs', '2') for _ in range(2)]
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
    assert sorted(stage.calls()) == sorted(EVERYTHING), 'each job once'
    assert {entry['state'] for entry in stage.jobs().values()} == {'done'}


@pytest.mark.parametrize('what', ['override', 'config', 'data', 'input'])
def test_changes_are_refused_and_named(stage: Stage, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    stage.tree['rows'][0]['seeds'] = [0, 1]
    stage.tree['rows'][2]['inputs'] = {'model.teacher_checkpoint': 'teacher:0'}
    stage.tree['caches']['outputs']['checkpoint'] = 'teacher:0'
    assert stage.run() == 0
    stage.calls()
    capsys.readouterr()
    words, concerned = '', {'distilled_seed0', 'distilled_seed1'}
    if what == 'override':
        stage.tree['rows'][2]['overrides']['model.lr'] = 3.0
        words = 'config: model.lr 2.0 -> 3.0'
    elif what == 'config':
        (stage.folder / 'teacher.py').write_text((stage.folder / 'teacher.py').read_text() + 'extra = dict(a=1)\n')
        words, concerned = 'config: extra.a absent -> 1', {'teacher_seed0', 'teacher_seed1'}
    elif what == 'data':
        (stage.folder / 'data/nuscenes_infos_train.pkl').write_text('new')
        words, concerned = 'data: nuscenes_infos_train.pkl', set(stage.jobs())
    else:
        stage.tree['rows'][2]['inputs'] = {'model.teacher_checkpoint': 'teacher:1'}
        words = 'inputs: '
    assert stage.run() == 2
    error = capsys.readouterr().err
    assert words in error and '--stale redo' in error
    assert {name for name in stage.jobs() if f'\n  {name}\n' in error} == concerned
    assert stage.calls() == []

    assert stage.run('--stale', 'keep') == 0
    assert stage.calls() == []
    kept = {name for name, entry in stage.jobs().items() if entry.get('kept')}
    assert kept == concerned
    assert stage.run() == 0, 'what was kept once is kept'


def test_redo_runs_again_what_changed_and_what_stands_on_it(stage: Stage) -> None:
    assert stage.run() == 0
    stage.calls()
    (stage.folder / 'teacher.py').write_text((stage.folder / 'teacher.py').read_text() + 'extra = 1\n')
    stage.tree['rows'][0]['overrides'] = {'model.lr': 5.0}
    assert stage.run('--stale', 'redo') == 0
    assert stage.calls() == [words for words in EVERYTHING if 'student' not in words]
    assert stage.jobs()['teacher_seed0']['metrics']['NDS'] == 0.5


def test_code_that_changes_meanwhile_stops_what_has_not_begun(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = stage.out / 'runs' / 'student_seed0' / 'iter_4.pth'
    monkeypatch.setattr(identity, 'code_parts', lambda imports: {'a.py': 'new' if trained.exists() else 'old'})
    assert stage.run() == 1
    shown = capsys.readouterr().out
    assert 'student_seed1: stale' in shown and 'the code was changed while the matrix ran' in shown
    assert 'a.py old -> new' in shown and 'distilled_seed0: blocked' in shown
    assert {name for name, job in stage.jobs().items() if job['state'] == 'done'} == {'teacher_seed0', 'student_seed0'}
    assert stage.run() == 2
    assert 'code: a.py old -> new' in capsys.readouterr().err


def test_second_world_once_and_last(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    broken = stage.tell('break-test-student_seed1')
    assert stage.run('--final') == 1
    assert 'final-teacher_seed0: blocked' in capsys.readouterr().out
    broken.unlink()
    stage.calls()
    assert stage.run('--final') == 0
    calls = stage.calls()
    assert calls[0] == 'test student_seed1' and len(calls) == 6
    assert stage.run('--final') == 0 and stage.run() == 0
    assert stage.calls() == []
    assert stage.jobs()['final-student_seed1']['metrics']['NDS'] == pytest.approx(0.61)
    rows = {row.name: row for row in read_manifests([stage.out / 'manifest.json'], second=True).rows}
    assert rows['student'].by_seed('NDS') == pytest.approx({0: 0.6, 1: 0.61})


def test_one_job_by_its_number(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage.run('--list') == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == [
        'teacher_seed0', 'student_seed0', 'student_seed1', 'cache-outputs', 'distilled_seed0', 'distilled_seed1'
    ]  # fmt: skip
    assert lines[4].endswith('after 0 teacher_seed0, 3 cache-outputs')
    assert stage.run('--job', '4') == 2
    assert 'job 4, distilled_seed0, needs teacher_seed0, cache-outputs first' in capsys.readouterr().err
    for number in ('0', '3', '4'):
        assert stage.run('--job', number) == 0
    assert [words.split()[1] for words in stage.calls()] == [
        'teacher_seed0', 'teacher_seed0', 'outputs', 'distilled_seed0', 'distilled_seed0'
    ]  # fmt: skip
    assert len(stage.jobs()) == 6 and stage.jobs()['student_seed0']['state'] == 'waiting'
    assert stage.run('--job', '9') == 2


def test_seed_by_seed(stage: Stage) -> None:
    stage.tree['order'] = 'seeds'
    # A row above with the seeds turned round: what needs it still waits for it.
    stage.tree['rows'].insert(1, dict(name='first', config=stage.config, seeds=[1, 0]))
    needs = {'model.teacher_checkpoint': 'first'}
    stage.tree['rows'].append(dict(name='last', config=stage.config, seeds=[0], inputs=needs))
    assert stage.run() == 0
    assert [words.split()[1] for words in stage.calls() if words.startswith(('train', 'cache'))] == [
        'teacher_seed0', 'first_seed1', 'student_seed0', 'outputs', 'distilled_seed0',
        'first_seed0', 'student_seed1', 'distilled_seed1', 'last_seed0',
    ]  # fmt: skip
    assert [row['name'] for row in stage.manifest()['rows']] == ['teacher', 'first', 'student', 'distilled', 'last']


def test_only_some_rows_and_dry_run(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage.run('--dry-run', '--only', 'distilled') == 0
    shown = capsys.readouterr().out
    assert 'student_seed0' not in shown and 'distilled_seed1: train, test' in shown
    assert 'names the checkpoint of a run that is not done yet' in shown
    assert stage.calls() == [] and not stage.out.exists()
    assert stage.run('--only', 'student') == 0
    assert stage.calls() == [words for words in EVERYTHING if 'student' in words]
    assert stage.run('--only', 'studnet') == 2
    assert stage.run('--only', 'student', '--final') == 1, 'the second world waits for all rows, not for ever'
    assert 'final-student_seed0: blocked' in capsys.readouterr().out


def test_an_override_that_does_not_fit_is_refused_before_anything_runs(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.tree['rows'][2]['overrides'] = {'model.lrr': 1}
    stage.tree['rows'][1]['inputs'] = {'model.teacher': 'teacher'}
    assert stage.run() == 2
    error = capsys.readouterr().err
    assert "row 'distilled': cannot override" in error and "did you mean 'model.lr'?" in error
    assert "row 'student'" in error
    assert stage.calls() == []


def test_help_imports_nothing_heavy_and_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    from tools.run_matrix import parse_args

    with pytest.raises(SystemExit):
        parse_args(['--help'])
    text = capsys.readouterr().out
    for word in ('examples:', '--jobs', '--stale', 'SLURM_ARRAY_TASK_ID', '--dry-run', '--final'):
        assert word in text
