"""A study on a cluster: the shipped Slurm profile with stand-ins for sbatch, sacct and scancel, and two nodes.

``BEVDISTILL_STUDY_RUNS=200`` makes it a study of 200 runs; each job starts a Snakemake of its own, which takes seconds.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from study_folder import REPO, StudyFolder

from bevdistill.studies.results import read_manifests
from bevdistill.studies.tables import to_markdown

pytestmark = pytest.mark.usefixtures('without_pictures')

RUNS = int(os.environ.get('BEVDISTILL_STUDY_RUNS', '4'))
SLURM = '''#!{python} -S
import fcntl, os, pathlib, subprocess, sys, time
here, words = pathlib.Path(__file__).parent, sys.argv[1:]
if os.path.basename(sys.argv[0]) == 'sacct':
    number = words[words.index('-j') + 1]
    print((here / (number + '.state')).read_text().rjust(10))
    sys.exit()
number = str(len(list(here.glob('*.state'))) + 1)
(here / (number + '.state')).write_text('PENDING')
with (here / 'submitted').open('a') as log:
    log.write(' '.join(words) + chr(10))
print(number, flush=True)
if os.fork():
    os._exit(0)
os.setsid()
os.dup2(os.open(os.devnull, os.O_RDWR), 1)
while True:
    for node in ('node-1', 'node-2'):
        with (here / node).open('w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            (here / (number + '.state')).write_text('RUNNING')
            done = subprocess.run(['sh', words[-1]], env=dict(os.environ, SLURMD_NODENAME=node), stdout=2)
            (here / (number + '.state')).write_text('COMPLETED' if done.returncode == 0 else 'FAILED')
            sys.exit()
    time.sleep(0.1)
'''


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shipped profile, asked more often, with the stand-ins on the path."""
    folder = tmp_path / 'slurm'
    folder.mkdir()
    for name in ('sbatch', 'sacct'):
        (folder / name).write_text(SLURM.format(python=sys.executable))
        (folder / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')
    shutil.copytree(REPO / 'configs' / 'studies' / 'profiles' / 'slurm', tmp_path / 'profile')
    file = tmp_path / 'profile' / 'config.yaml'
    file.write_text(file.read_text().replace('seconds-between-status-checks: 20', 'seconds-between-status-checks: 1'))
    assert yaml.safe_load(file.read_text())['seconds-between-status-checks'] == 1
    return str(tmp_path / 'profile')


@pytest.mark.slow  # a Snakemake per job
def test_two_nodes_end_with_the_table_of_one(study: StudyFolder, profile: str) -> None:
    study.tree['rows'] = [
        dict(name='a', config=study.config), dict(name='b', config=study.config, base='a', overrides={'model.lr': 2.0})
    ]  # fmt: skip
    study.tree['seeds'] = list(range(RUNS // 2))
    assert study.run('--profile', profile) == 0
    jobs = study.jobs()
    assert len(jobs) == RUNS
    hosts = Counter(attempt['host'] for job in jobs.values() for attempt in job['attempts'])
    assert hosts.keys() == {'node-1', 'node-2'}
    submitted = (study.folder / 'slurm' / 'submitted').read_text().splitlines()
    assert len(submitted) == RUNS
    wanted = '--job-name=study-a_seed0 --cpus-per-task=1 --gres=gpu:1 --output=logs/slurm-%j.log '
    assert sum(wanted in line for line in submitted) == 1
    columns = ('NDS', 'mAP')
    table = to_markdown(read_manifests([study.out / 'manifest.json']), columns)

    study.calls()
    study.out = study.folder / 'alone'
    study.run_plain()
    plan, names = study.plan()
    rows = [dict(name=row['name'], title=row['name'], base=row.get('base')) for row in study.tree['rows']]
    plan.folder.write_manifest(dict(matrix='study', metrics=columns, rows=rows), dict.fromkeys(names, 'run'))
    assert table == to_markdown(read_manifests([study.out / 'manifest.json']), columns)


@pytest.mark.slow
def test_a_failure_on_a_node_is_shown_and_stops_only_what_needs_it(
    study: StudyFolder, profile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study.tell('break-train-teacher_seed0')
    study.tree['seeds'] = [0]
    assert study.run('--profile', profile) == 1
    shown = capsys.readouterr().out
    assert 'told to fail' in shown
    assert 'distilled_seed0: waiting, not run: needs teacher_seed0' in shown
    assert study.jobs()['student_seed0']['state'] == 'done'
