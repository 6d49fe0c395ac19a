"""The command line of a study: help, list, dry run, and the older tools' names."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from quick_study import QuickStudy
from study_folder import REPO, StudyFolder

from bevdistill.cli import study as verb


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return QuickStudy(tmp_path)


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(['run', '--help'])
    text = capsys.readouterr().out
    for word in ('examples:', '--cores', '--stale', '--profile slurm', '--dry-run', '--held-out', '--until'):
        assert word in text


def test_older_names_of_the_flags(study: StudyFolder) -> None:
    words = ['--jobs', '2', '--only', 'student', '--final', '--second-data', 'x']
    args = study.arguments('--cores', '1', *words)
    assert (args.cores, args.until, args.held_out, args.held_out_data) == (2, ['student'], True, Path('x'))
    for word in ('0', '-1'):
        with pytest.raises(SystemExit):
            study.arguments('--cores', word)


def test_dry_run_and_list_run_nothing(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert study.run('--dry-run', '--until', 'distilled') == 0
    shown = capsys.readouterr().out
    assert 'student_seed0' not in shown
    assert 'distilled_seed1: train, test' in shown
    assert "'<checkpoint of distilled_seed1>' --work-dir" in shown
    assert study.run(action='ls') == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['teacher_seed0', 'waiting']
    assert lines[4].split(None, 2)[1:] == ['waiting', 'after teacher_seed0, cache-outputs']
    assert study.calls() == []
    assert not study.out.exists()
    study.run_plain('--until', 'student')
    assert study.run('--dry-run', '--until', 'student') == 0
    assert capsys.readouterr().out == 'student_seed0: done\nstudent_seed1: done\n'


def test_mistakes_are_one_error(study: StudyFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert study.run('--until', 'studnet') == 2
    assert "no rows ['studnet']; there are" in capsys.readouterr().err
    study.tree['colour'] = 'red'
    assert study.run() == 2
    assert "unknown keys ['colour']" in capsys.readouterr().err


def test_a_dry_run_imports_no_model(study: StudyFolder) -> None:
    study.arguments()
    words = ['run', str(study.folder / 'study.yml'), '--tools', str(study.tools), '--dry-run']
    code = (
        'import argparse, sys\nfrom bevdistill.cli import study\nparser = argparse.ArgumentParser()\n'
        f'study.add_arguments(parser)\nstudy.run(parser.parse_args({words}))\n'
        "print([name for name in sys.modules if name.startswith(('mmdet', 'bevdistill.students', 'snakemake'))])"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '[]'


def script(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPO / 'tools' / name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_matrix_tool_is_a_study(study: StudyFolder) -> None:
    study.arguments()
    listed = script('run_matrix.py', study.folder / 'study.yml', '--out', study.out, '--list')
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[0].split() == ['teacher_seed0', 'waiting']
    gone = script('run_matrix.py', study.folder / 'study.yml', '--job', '1')
    assert gone.returncode == 1
    assert '--profile slurm' in gone.stderr
    assert "this is 'bevdistill study run' and 'study ls' now" in listed.stderr
    unknown = script('run_matrix.py', study.folder / 'nothing.yml')
    assert unknown.returncode == 1
    assert unknown.stderr.splitlines()[-1] == f'run_matrix.py: error: no study file {study.folder}/nothing.yml'


def test_the_demo_is_a_study(tmp_path: Path) -> None:
    shown = script('demo.py', '--rows', 'init-only', '--seed', '2', '--out', tmp_path / 'demo', '--dry-run')
    assert shown.returncode == 0, shown.stderr
    jobs = [line.partition(':')[0] for line in shown.stdout.splitlines() if not line.startswith(' ')]
    assert jobs == [
        'data', 'teacher_seed0', 'student_seed2', 'init-only_seed2', 'distilled_seed2', 'picture-teacher',
        'picture-student', 'picture-init-only', 'picture-distilled',
    ]  # fmt: skip
    assert f'-m bevdistill synthetic {tmp_path}/demo/data --preset temporal' in shown.stdout
    assert f'-m bevdistill data create nuscenes --root-path {tmp_path}/demo/data' in shown.stdout
    assert '-m bevdistill show model configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py' in shown.stdout
    quick = script('demo.py', '--quick', '--dry-run', '--out', tmp_path / 'demo')
    assert '--preset tiny' in quick.stdout
    assert 'train_cfg.max_iters=4' in quick.stdout
