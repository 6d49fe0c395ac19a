"""Several processes without a GPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from bevdistill.engine import process_group as module
from bevdistill.engine.process_group import distributed_run


def test_one_process_needs_nothing() -> None:
    cfg = Config(dict(launcher='none'))
    with distributed_run(cfg):
        assert not torch.distributed.is_initialized()
    assert cfg.to_dict() == dict(launcher='none')


def test_missing_variables_name_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('RANK', raising=False)
    for script, start in (('train', r'tools/train\.py CONFIG --'), ('test', r'tools/test\.py CONFIG CHECKPOINT --')):
        message, cfg = f"'RANK'.*torchrun.*{start}", Config(dict(launcher='pytorch'))
        with pytest.raises(ValueError, match=message), distributed_run(cfg, script):
            pass


def test_mpi_needs_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, 'get_device', lambda: 'cpu')
    cfg = Config(dict(launcher='mpi'))
    with pytest.raises(ValueError, match='--launcher mpi needs GPUs'), distributed_run(cfg):
        pass


SLURM = dict(SLURM_PROCID='3', SLURM_NTASKS='8', SLURM_LOCALID='1', SLURM_NODELIST='node[7-8]', SLURM_JOB_ID='40123')


def test_slurm_variables_become_torchruns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, 'to be undone')
        monkeypatch.delenv(name)
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[7-8]" ] && printf "node7\\nnode8\\n"\n')
    scontrol.chmod(0o755)
    module._adopt_slurm()
    assert {name: os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')} == dict(
        RANK='3', WORLD_SIZE='8', LOCAL_RANK='1'
    )
    assert os.environ['MASTER_ADDR'] == 'node7'
    assert os.environ['MASTER_PORT'] == '20123'
    monkeypatch.delenv('MASTER_ADDR')
    scontrol.write_text('#!/bin/sh\nexit 1\n')
    with pytest.raises(ValueError, match=r'cannot find the first host .* set MASTER_ADDR'):
        module._adopt_slurm()


def test_missing_slurm_variables_name_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('SLURM_PROCID', raising=False)
    cfg = Config(dict(launcher='slurm'))
    for script in ('train', 'test'):
        message = rf"'SLURM_PROCID'.*slurm_{script}\.sh"
        with pytest.raises(ValueError, match=message), distributed_run(cfg, script):
            pass


GLOO = '[/pytorch/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:78] {}'


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError(GLOO.format('Timed out waiting 8000ms for recv operation to complete')),
        RuntimeError(GLOO.format('Connection closed by peer [10.0.0.2]:4711')),
        torch.distributed.DistBackendError('NCCL error: remote process exited or there was a network error'),
        RuntimeError('Application timeout caused pair closure'),
    ],
)
def test_a_lost_process_is_explained(tmp_path: Path, error: Exception) -> None:
    cfg = Config(dict(work_dir=str(tmp_path)))
    message = r'rank 0 lost contact .* \((Timed|Conn|NCCL|Appl).*\)\. .* no whole checkpoint yet; start all hosts again'
    with pytest.raises(ConnectionError, match=message), module._lost_contact_explained(cfg):
        raise error
    torch.save(dict(state_dict={}), tmp_path / 'iter_8.pth')
    message = r'iter_8\.pth is whole; start all hosts again with --resume auto'
    with pytest.raises(ConnectionError, match=message), module._lost_contact_explained(cfg):
        raise error


def test_torch_before_2_4_has_no_common_base_of_network_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.distributed, 'DistError')
    with pytest.raises(RuntimeError, match='out of memory'), module._lost_contact_explained(Config()):
        raise RuntimeError('CUDA out of memory')
    cfg = Config(dict(work_dir=str(tmp_path)))
    with pytest.raises(ConnectionError, match='lost contact'), module._lost_contact_explained(cfg):
        raise torch.distributed.DistBackendError('NCCL error: remote process exited or there was a network error')


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('mat1 and mat2 shapes cannot be multiplied'),
        RuntimeError(GLOO.format('op.preamble.length <= op.nbytes. 8 vs 4')),
        torch.distributed.DistBackendError('NCCL error: Duplicate GPU detected'),
        ValueError('Connection closed by peer'),
    ],
)
def test_other_errors_stay_what_they_are(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, module._lost_contact_explained(Config(dict(work_dir=str(tmp_path)))):
        raise error
    assert raised.value is error


def test_processes_that_start_from_different_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = Config(dict(work_dir='run', load_from='run/iter_4.pth', resume=True))
    module.check_same_start(cfg)
    monkeypatch.setattr(module, 'all_gather_object', lambda own: [own, own, (None, False)])
    message = r'rank 0 resumes from run/iter_4\.pth, but rank 2 starts from the beginning: the work dir run must be one'
    with pytest.raises(ValueError, match=message):
        module.check_same_start(cfg)
