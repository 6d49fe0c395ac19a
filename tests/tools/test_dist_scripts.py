"""The scripts for clusters: usage, command lines, and two processes without a GPU that train and test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from forked import forked_tools

from bevdistill.cli.main import module_of, verb_parser

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(REPO.glob('tools/*.sh'))
TWIN = REPO / 'configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py'


def run(script: str, *words: object, timeout: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script from another folder, with the variables of this process that it does not read, and these."""
    ours = ('NNODES', 'NODE_RANK', 'MASTER_ADDR', 'PORT', 'RDZV_ENDPOINT', 'GPUS', 'GPUS_PER_NODE', 'GRES', 'SRUN_ARGS')
    env = {key: value for key, value in os.environ.items() if key not in ours}
    return subprocess.run(
        [str(REPO / 'tools' / script), *map(str, words)],
        env={**env, 'PYTHON': sys.executable, 'CUDA_VISIBLE_DEVICES': '', **variables},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_there_are_scripts() -> None:
    names = ['dist_test.sh', 'dist_train.sh', 'slurm_test.sh', 'slurm_train.sh', 'srun.sh', 'torchrun.sh']
    assert [script.name for script in SCRIPTS] == names


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda script: script.name)
def test_script_is_sound(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(['bash', '-n', str(script)], check=True)
    shown = run(script.name)
    assert shown.returncode == 2
    assert f'tools/{script.name} ' in shown.stderr
    assert shown.stderr.strip().count('\n') >= 3
    assert '#' not in shown.stderr.splitlines()[0]


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., list[str]]:
    """Run a script with programs in place of torchrun and srun that print their arguments; returns these."""
    for name in ('python', 'srun'):
        program = tmp_path / name
        program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n[ -z "$MASTER_PORT" ] || echo "port $MASTER_PORT"\n')
        program.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ['PATH']])

    def tell(script: str, *words: str, **variables: str) -> list[str]:
        done = run(script, *words, PYTHON=variables.pop('PYTHON', 'python'), PATH=path, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return tell


TRAIN, TEST = str(REPO / 'tools/train.py'), str(REPO / 'tools/test.py')


def test_one_host(told: Callable[..., list[str]]) -> None:
    torchrun = ['-m', 'torch.distributed.run', '--nnodes=1', '--nproc-per-node=8']
    ending = ['--launcher', 'pytorch']
    words = ['c.py', '--resume', 'auto', '--cfg-options', 'a=[1, 2]']
    assert told('dist_train.sh', words[0], '8', *words[1:]) == [*torchrun, '--standalone', TRAIN, *words, *ending]
    shown = told('dist_test.sh', 'c.py', 'a b.pth', '8', '--format-only', PORT='123')
    here = ['--node-rank=0', '--master-addr=127.0.0.1', '--master-port=123']
    assert shown == [*torchrun, *here, TEST, 'c.py', 'a b.pth', '--format-only', *ending]


def test_several_hosts(told: Callable[..., list[str]]) -> None:
    variables = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1')
    shown = told('dist_train.sh', 'c.py', '4', **variables)
    assert shown[2:7] == [
        '--nnodes=2', '--nproc-per-node=4', '--node-rank=1', '--master-addr=10.0.0.1', '--master-port=29500',
    ]  # fmt: skip
    shown = told('dist_train.sh', 'c.py', '4', NNODES='2', RDZV_ENDPOINT='10.0.0.1:4000', RDZV_ID='job')
    assert shown[4:7] == ['--rdzv-backend=c10d', '--rdzv-endpoint=10.0.0.1:4000', '--rdzv-id=job']


@pytest.mark.parametrize(
    ('words', 'variables', 'message'),
    [
        (['c.py', 'many'], {}, "train.py: error: PROCESSES_PER_HOST is a number from 1, got 'many'"),
        (['c.py', '0'], {}, "got '0'"),
        (['c.py', '8'], {'NNODES': '4', 'NODE_RANK': '1'}, 'NNODES=4 needs NODE_RANK (0 to 3) and MASTER'),
        (['c.py', '8'], {'NNODES': '2', 'MASTER_ADDR': 'a'}, 'NNODES=2 needs NODE_RANK'),
    ],
)
def test_mistakes_are_said_in_words(words: list[str], variables: dict[str, str], message: str) -> None:
    failed = run('dist_train.sh', *words, **variables)
    assert failed.returncode == 2
    assert message in failed.stderr


def test_slurm(told: Callable[..., list[str]]) -> None:
    shown = told('slurm_train.sh', 'gpu', 'job', 'c.py', 'runs/a', '--resume', 'auto', GPUS='16', PORT='321')
    assert shown == [
        '--partition=gpu', '--job-name=job', '--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8', '--cpus-per-task=5',
        '--kill-on-bad-exit=1', 'python', '-u', TRAIN, 'c.py', '--work-dir', 'runs/a', '--resume', 'auto',
        '--launcher', 'slurm', 'port 321',
    ]  # fmt: skip
    shown = told('slurm_test.sh', 'cpu', 'job', 'c.py', 'a.pth', GPUS='2', GRES='', SRUN_ARGS='--qos=high --time=9')
    assert shown == [
        '--partition=cpu', '--job-name=job', '--ntasks=2', '--ntasks-per-node=2', '--cpus-per-task=5',
        '--kill-on-bad-exit=1', '--qos=high', '--time=9', 'python', '-u', TEST, 'c.py', 'a.pth', '--launcher', 'slurm',
    ]  # fmt: skip


SLURM = {'--time', '--signal', '--requeue', '--gres', '--gpus-per-task', '--ntasks-per-node'}
"""Flags of Slurm's own commands."""


def test_the_document_names_what_there_is() -> None:
    text = (REPO / 'docs/clusters.md').read_text()
    commands = '\n'.join(re.findall(r'^```bash\n(.*?)^```', text, flags=re.MULTILINE | re.DOTALL))
    named = set(re.findall(r'(?:tools|tests|configs)/\S+\.(?:sh|py)', commands))
    assert len(named) >= 6
    assert all((REPO / name).is_file() for name in named)
    read = '\n'.join(script.read_text() for script in SCRIPTS)
    variables = set(re.findall(r'\b([A-Z_]{4,})=', text))
    assert {name for name in variables if f'${{{name}' not in read} <= {
        'NCCL_SOCKET_IFNAME', 'GLOO_SOCKET_IFNAME', 'PET_MAX_RESTARTS', 'CUDA_VISIBLE_DEVICES',
    }  # fmt: skip
    flags = set(re.findall(r'--[a-z-]+', text)) - SLURM
    parsers = [verb_parser(module_of(verb), verb) for verb in ('train', 'test', 'study')]
    parsers += [action.choices['run'] for action in parsers[-1]._actions if isinstance(action.choices, dict)]
    known = ''.join(parser.format_help() for parser in parsers)
    assert {flag for flag in flags if f'{flag} ' not in known} == set()


def options(root: Path, infos: Path) -> list[str]:
    """Overrides that give a CPU-sized config the tiny data and two steps, without validation."""
    data = ('dataset.dataset.data_root', root), ('dataset.dataset.ann_file', infos / 'nuscenes_infos_train.msgpack.gz')
    loader = (*data, ('num_workers', 0), ('persistent_workers', False), ('batch_size', 1))
    found = [f'train_dataloader.{key}={value}' for key, value in loader]
    return [*found, 'val_dataloader=None', 'val_evaluator=None', 'val_cfg=None', 'train_cfg.max_iters=2']


@pytest.mark.slow  # Two processes, and torchrun.
def test_two_processes_train_as_one(synthetic_root: Path, synthetic_infos: Path, tmp_path: Path) -> None:
    words = options(synthetic_root, synthetic_infos)
    # torchrun starts its processes with the interpreter that PYTHON_EXEC names.
    with forked_tools(tmp_path) as stand_ins:
        job = [TWIN, 2, '--work-dir', tmp_path, '--cfg-options', *words]
        done = run('dist_train.sh', *job, timeout=580, PYTHON_EXEC=str(stand_ins / 'python'))
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = tmp_path.glob('*/*.log')
    assert 'Distributed launcher: pytorch' in log.read_text()
    weights = torch.load(tmp_path / 'iter_2.pth', weights_only=True)['state_dict']
    assert not any(name.startswith('module.') for name in weights)
