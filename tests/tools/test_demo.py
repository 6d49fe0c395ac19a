"""The demo against stand-ins for the tools that it runs: order, progress, resuming, failures, table."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / 'tools'))

import demo  # noqa: E402
from demo_run.execute import StepFailedError, run_command  # noqa: E402
from demo_run.plan import ROWS, SIZES, STANDARD_ROWS, Paths, PlanBuilder, config_files  # noqa: E402
from demo_run.progress import Outlook, Progress, parse_line, readable  # noqa: E402
from demo_run.results import meaning  # noqa: E402

STAND_IN = '''
import json, pathlib, sys
arguments = sys.argv[1:]
here = pathlib.Path(sys.argv[0])
with (here.parent / 'calls.txt').open('a') as calls:
    calls.write(here.name + ' ' + ' '.join(arguments) + '\\n')

def after(flag):
    return arguments[arguments.index(flag) + 1]

if here.name == 'make_synthetic_nuscenes.py':
    (pathlib.Path(arguments[0]) / 'v1.0-trainval').mkdir(parents=True)
elif here.name == 'create_data.py':
    for split in ('train', 'val'):
        (pathlib.Path(after('--root-path')) / f'nuscenes_infos_{split}.pkl').write_text('')
elif here.name == 'train.py':
    work_dir = pathlib.Path(after('--work-dir'))
    work_dir.mkdir(parents=True)
    print('11/22 10:00:00 - mmengine - INFO - Iter(train) [ 50/100]  lr: 1e-3  eta: 0:00:07  time: 0.1  loss: 2.5')
    checkpoint = work_dir / 'iter_100.pth'
    checkpoint.write_text('')
    (work_dir / 'last_checkpoint').write_text(str(checkpoint))
    if (here.parent / 'break').exists():
        print('RuntimeError: this run was told to fail')
        sys.exit(3)
elif here.name == 'test.py':
    folder = pathlib.Path(after('--work-dir')) / '20260101_000000'
    folder.mkdir()
    names = ('NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE')
    (folder / '20260101_000000.json').write_text(json.dumps({f'NuScenes metric/x/{name}': 0.25 for name in names}))
elif here.name == 'visualize.py':
    pathlib.Path(after('--out')).mkdir(parents=True)
'''


@pytest.fixture
def stage(tmp_path: Path) -> Paths:
    """A folder with stand-in tools, configs and package."""
    tools = tmp_path / 'tools'
    (tools / 'analysis_tools').mkdir(parents=True)
    for name in ('make_synthetic_nuscenes', 'create_data', 'train', 'test', 'analysis_tools/visualize'):
        (tools / f'{name}.py').write_text(STAND_IN)
    configs = tmp_path / 'configs'
    for row in ROWS.values():
        config = configs / row.config
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text("_base_ = ['../base.py']\n")
    loader = "train_dataloader = dict(dataset=dict(dataset=dict(data_root='elsewhere/')))\n"
    (configs / 'base.py').write_text(f'learning_rate = 1\n{loader}')
    for part in ('synthetic', 'datasets/infos', 'visualization', 'students'):
        folder = tmp_path / 'package' / part
        folder.mkdir(parents=True)
        (folder / 'module.py').write_text('one = 1\n')
    return Paths(tmp_path / 'out', tools, configs, tmp_path / 'package')


def _calls(stage: Paths) -> list[str]:
    """Names of the tools that ran since the last look, in order."""
    names = []
    for log in (stage.tools / 'calls.txt', stage.tools / 'analysis_tools' / 'calls.txt'):
        if log.exists():
            names += [line.split()[0].removesuffix('.py') for line in log.read_text().splitlines()]
            log.unlink()
    return names


def _run(stage: Paths, *arguments: str) -> int:
    return demo.main(list(arguments), stage)


def test_whole_path_then_nothing_to_do(stage: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(stage) == 0
    shown = capsys.readouterr().out
    assert _calls(stage) == ['make_synthetic_nuscenes', 'create_data'] + ['train', 'test'] * 3 + ['visualize'] * 3
    assert '[1/11] make a synthetic nuScenes' in shown
    assert f'{stage.tools}/train.py' in shown, 'the commands are shown so that people can repeat them'
    for title in ('LiDAR teacher', 'camera student, not distilled', 'distilled student'):
        assert re.search(rf'^{title}.*0\.250', shown, re.MULTILINE)
    assert 'measured here, synthetic world, NDS within 25 m' in shown
    assert 'docs/results/demo.md' in shown
    markdown = (stage.out / 'results.md').read_text()
    assert 'measured here' in markdown and '| LiDAR teacher | 0.250 |' in markdown
    results = json.loads((stage.out / 'results.json').read_text())
    assert [row['row'] for row in results['rows']] == ['teacher', 'student', 'distilled']
    assert results['rows'][0]['runs'][0]['metrics']['NDS'] == 0.25
    assert results['rows'][0]['std']['NDS'] is None
    assert (stage.out / 'results.csv').read_text().startswith('model,seeds,NDS,')

    assert _run(stage) == 0
    assert _calls(stage) == []
    assert capsys.readouterr().out.count('done before') == 11


def test_changed_config_reruns_what_depends_on_it(stage: Paths) -> None:
    assert _run(stage) == 0
    _calls(stage)
    config = stage.configs / ROWS['distilled'].config
    config.write_text(config.read_text() + 'weight = 2\n')
    assert _run(stage) == 0
    # The student of the distiller stands on the teacher's pictures too.
    assert _calls(stage) == ['train', 'test', 'visualize', 'visualize']
    (stage.package / 'visualization' / 'module.py').write_text('two = 2\n')
    assert _run(stage) == 0
    assert _calls(stage) == ['visualize'] * 3
    base = stage.configs / 'base.py'
    base.write_text(base.read_text().replace('1', '2'))
    assert _run(stage) == 0
    assert _calls(stage) == ['train', 'test'] * 3 + ['visualize'] * 3


def test_failing_step_shows_the_end_of_its_log_and_can_be_repeated(
    stage: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    (stage.tools / 'break').touch()
    assert _run(stage) == 1
    error = capsys.readouterr().err
    assert 'train: LiDAR teacher failed' in error
    assert 'RuntimeError: this run was told to fail' in error
    log = stage.out / 'logs' / '03-train-teacher.log'
    assert f'exit status 3; the whole log: {log}' in error
    assert log.read_text().startswith('$ ')
    _calls(stage)
    (stage.tools / 'break').unlink()
    assert _run(stage) == 0
    assert _calls(stage)[0] == 'train'


def test_several_seeds_and_rows(stage: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(stage, '--seeds', '3', '4', '--rows', 'init-only') == 0
    shown = capsys.readouterr().out
    assert '0.250 ± 0.000' in shown
    assert 'mean ± sample standard deviation over seeds 3 4' in shown
    results = json.loads((stage.out / 'results.json').read_text())
    runs = {row['row']: [run['seed'] for run in row['runs']] for row in results['rows']}
    assert runs == {'teacher': [3], 'student': [3, 4], 'init-only': [3, 4], 'distilled': [3, 4]}
    command = json.loads((stage.out / 'stamps' / 'train-distilled_seed4.json').read_text())['command']
    assert command[command.index('--seed') + 1] == '4'
    assert any(part.startswith('model.teacher_checkpoint=') and 'teacher/iter_100' in part for part in command)
    assert f'train_dataloader.dataset.dataset.data_root={stage.out}/data/' in command
    plain = json.loads((stage.out / 'stamps' / 'train-student_seed4.json').read_text())['command']
    assert not any('teacher_checkpoint' in part for part in plain)


def test_restart_and_foreign_folders(stage: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(stage) == 0
    _calls(stage)
    assert _run(stage, '--restart') == 0
    assert len(_calls(stage)) == 11
    capsys.readouterr()
    foreign = Paths(stage.tools, stage.tools, stage.configs, stage.package)
    assert demo.main(['--restart'], foreign) == 1
    assert 'was not made by this demo' in capsys.readouterr().err
    assert (stage.tools / 'train.py').exists()


def test_every_row_belongs_to_a_config_of_this_repository() -> None:
    folder = REPO / 'configs' / 'synthetic'
    missing = [row.config for row in ROWS.values() if not (folder / row.config).exists()]
    if not folder.exists():
        pytest.skip('no configs/synthetic yet')
    assert missing == []


def test_config_files_follow_bases() -> None:
    for config in sorted((REPO / 'configs').rglob('*.py')):
        for path in config_files(config):
            assert path.exists()
    base = REPO / 'configs' / '_base_' / 'datasets'
    assert {path.name for path in config_files(base / 'nus-3d_camera.py')} == {'nus-3d_camera.py', 'nus-3d.py'}


@pytest.mark.parametrize(
    ('line', 'fraction', 'left'),
    [
        ('10:26 - mmengine - INFO - Iter(train) [ 50/700]  lr: 1e-03  eta: 0:02:11  time: 0.2  loss: 3', 50 / 700, 131),
        ('INFO - Epoch(train)  [2][ 50/400]  lr: 1e-3  eta: 1 day, 0:00:10  time: 0.2', None, 86410),
        ('INFO - Epoch(test) [ 50/150]    eta: 0:00:05  time: 0.1', 1 / 3, 5),
        ('INFO - Iter(val) [150/150]    mAP: 0.1', 1.0, None),
        ('scenes:  40%|####      | 80/200 [00:10<00:15,  8.00it/s]', 0.4, 15),
        ('  0%|          | 0/200 [00:00<?, ?it/s]', 0.0, None),
        ('[>>>>>      ] 5/150, 10.0 task/s, elapsed: 1s, ETA:    15s', 5 / 150, 15),
    ],
)
def test_progress_of_a_line(line: str, fraction: float | None, left: float | None) -> None:
    progress = parse_line(line)
    assert progress is not None
    assert progress.fraction == (None if fraction is None else pytest.approx(fraction))
    assert progress.seconds_left == left


def test_other_lines_tell_nothing() -> None:
    assert parse_line('Loading checkpoint 1/2') is None
    assert parse_line('') is None


def test_loss_is_shown() -> None:
    progress = parse_line('Iter(train) [ 50/700]  eta: 0:02:11  loss: 3.2541  d0.loss_cls: 1.0')
    assert progress is not None
    assert progress.detail == 'iteration 50/700, loss 3.25'


def test_time_left_follows_the_pace_of_the_machine() -> None:
    outlook = Outlook([10.0, 100.0, 50.0])
    assert outlook.all_left(0, outlook.step_left(0, 4.0, Progress())) == pytest.approx(6 + 150)
    outlook.finished(0, 20.0)
    assert outlook.pace == pytest.approx(2.0)
    assert outlook.step_left(1, 50.0, Progress()) == pytest.approx(150)
    assert outlook.step_left(1, 50.0, Progress(fraction=0.5)) == pytest.approx(50)
    assert outlook.step_left(1, 50.0, Progress(0.5, 7.0)) == 7.0
    outlook.finished(1, None)
    assert outlook.pace == pytest.approx(2.0), 'a skipped step says nothing about the pace'


def test_readable_times() -> None:
    assert [readable(value) for value in (5.4, 75, 3700)] == ['5 s', '1 min 15 s', '1 h 01 min']


def test_bars_are_read_but_not_kept_in_the_log(tmp_path: Path) -> None:
    code = "print(end='\\r 1/4 [00:01<00:03]'); print(end='\\r 4/4 [00:04<00:00]\\n'); print('end é')"
    seen: list[Progress] = []
    run_command([sys.executable, '-c', code], tmp_path / 'a.log', seen.append)
    assert seen[-1].fraction == 1.0
    lines = (tmp_path / 'a.log').read_text().splitlines()
    assert lines[1:] == [' 4/4 [00:04<00:00]', 'end é']


def test_command_that_fails_is_reported_with_its_last_lines(tmp_path: Path) -> None:
    code = "import sys; [print('line', i) for i in range(100)]; sys.exit(7)"
    with pytest.raises(StepFailedError, match=r'line 99\n\nexit status 7'):
        run_command([sys.executable, '-c', code], tmp_path / 'a.log', lambda progress: None)


def test_meaning_never_claims_more_than_was_measured() -> None:
    assert 'spread over seeds is unknown' in meaning([0], quick=False)
    assert 'One teacher (seed 1)' in meaning([1, 2], quick=False)
    assert 'says nothing on quality' in meaning([0], quick=True)


def test_plan_names_each_step_once(stage: Paths) -> None:
    steps = PlanBuilder(stage, SIZES['full'], list(ROWS), [0, 1, 2]).build().steps
    names = [step.name for step in steps]
    assert len(names) == len(set(names))
    for index, step in enumerate(steps):
        assert set(step.after) <= set(names[:index]), 'a step runs after what it reads'


def test_full_plan_fits_fifteen_minutes(stage: Paths) -> None:
    steps = PlanBuilder(stage, SIZES['full'], STANDARD_ROWS, [0]).build().steps
    assert sum(step.seconds for step in steps) < 15 * 60


def test_help_names_the_flags() -> None:
    done = subprocess.run([sys.executable, str(REPO / 'tools' / 'demo.py'), '--help'], capture_output=True, text=True)
    assert done.returncode == 0
    for flag in ('--out', '--seed', '--seeds', '--rows', '--quick', '--restart'):
        assert flag in done.stdout


def test_warm_start_runs_the_same_file_with_the_same_arguments(tmp_path: Path) -> None:
    tool = tmp_path / 'tool.py'
    tool.write_text(
        "import os, sys; print('started', sys.argv, os.getcwd()); os.system('echo child'); sys.exit('no more')"
    )
    script = (
        f"import sys; sys.path.insert(0, {str(REPO / 'tools')!r})\n"
        'from pathlib import Path\n'
        'from demo_run.execute import StepFailedError, run_command\n'
        'from demo_run.starters import WarmStarter\n'
        "if __name__ == '__main__':\n"
        '    try:\n'
        f"        run_command(['python', {str(tool)!r}, 'a', 'b'], Path({str(tmp_path / 'log')!r}), lambda _: None,\n"
        '                    WarmStarter(preload=()))\n'
        '    except StepFailedError as error:\n'
        '        print(error)\n'
    )
    (tmp_path / 'script.py').write_text(script)
    done = subprocess.run([sys.executable, str(tmp_path / 'script.py')], capture_output=True, text=True, timeout=60)
    assert f"started ['{tool}', 'a', 'b'] {REPO}" in done.stdout, done.stderr
    assert 'child' in done.stdout
    assert 'no more' in done.stdout
    assert 'exit status 1' in done.stdout
