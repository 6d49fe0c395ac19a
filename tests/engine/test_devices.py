"""A GPU that torch cannot use, and which card a process takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from toy_run import toy_config

from bevdistill.engine import devices
from bevdistill.engine.devices import check_accelerator, choose_card
from bevdistill.engine.launch import run_testing, run_training
from bevdistill.engine.trainable import UntrainableError


def fail(message: str, kind: type[Exception]) -> None:
    raise kind(message)


@pytest.fixture
def unused_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver with a card, which torch does not use."""
    monkeypatch.setattr(devices, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(devices, 'driver_version', lambda: '470.82.01')


@pytest.mark.usefixtures('unused_gpu')
@pytest.mark.parametrize(('cuda', 'error', 'reason'), [
    (None, None, r'torch \S+ is a build for CPUs\. Install'),
    ('13.0', RuntimeError('The NVIDIA driver on your system is too old (found version 11040).\nPlease update it'),
     r'built for CUDA 13\.0, says: The NVIDIA driver .* too old \(found version 11040\)\. Install'),
    ('13.0', None, r'says: it finds none\. Install'),
])  # fmt: skip
def test_gpu_that_torch_cannot_use(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None, error: Exception | None, reason: str
) -> None:
    monkeypatch.setattr(torch.version, 'cuda', cuda)
    monkeypatch.setattr(torch.cuda, 'init', lambda: fail(str(error), type(error)) if error else None)
    with pytest.raises(UntrainableError, match=rf'470\.82\.01\) that torch cannot use: .*{reason}') as caught:
        check_accelerator()
    assert 'CUDA_VISIBLE_DEVICES= (empty) to run on the CPU' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('device', 'driver'), [('cpu', ''), ('cuda', '580.65.06'), ('npu', '')])
def test_other_machines_pass(monkeypatch: pytest.MonkeyPatch, device: str, driver: str) -> None:
    monkeypatch.setattr(devices, 'get_device', lambda: device)
    monkeypatch.setattr(devices, 'driver_version', lambda: driver)
    check_accelerator()


@pytest.mark.usefixtures('unused_gpu')
def test_training_and_testing_stop_before_they_read_anything(tmp_path: Path) -> None:
    cfg = toy_config(tmp_path)
    with pytest.raises(UntrainableError, match='torch cannot use'):
        run_training(cfg)
    with pytest.raises(UntrainableError, match='torch cannot use'):
        run_testing(cfg, str(tmp_path / 'no-such.pth'))
    assert not Path(cfg.work_dir).exists()


@pytest.mark.parametrize(('launcher', 'backend', 'cards', 'local', 'card'), [
    ('pytorch', 'nccl', 8, 3, 3),
    ('pytorch', 'nccl', 0, 3, 3),
    ('slurm', 'nccl', 8, 3, 3),
    ('slurm', 'nccl', 1, 3, 0),
    ('pytorch', 'gloo', 1, 1, 0),
    ('pytorch', 'gloo', 2, 3, 1),
    ('pytorch', 'nccl', 2, 2, None),
    ('slurm', 'nccl', 2, 2, None),
])  # fmt: skip
def test_card_of_a_process(
    monkeypatch: pytest.MonkeyPatch, launcher: str, backend: str, cards: int, local: int, card: int | None
) -> None:
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: cards)
    monkeypatch.setenv('LOCAL_RANK', str(local))
    monkeypatch.setenv('SLURM_LOCALID', str(local))
    cfg = Config(dict(env_cfg=dict(dist_cfg=dict(backend=backend))))
    if card is None:
        with pytest.raises(ValueError, match=r'process 3 of this machine sees 2 GPU.*most 2.*dist_cfg\.backend=gloo'):
            choose_card(cfg, launcher)
        card = local
    else:
        choose_card(cfg, launcher)
    assert [os.environ[name] for name in ('LOCAL_RANK', 'SLURM_LOCALID')] == [str(card)] * 2
