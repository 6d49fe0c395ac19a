"""mmengine's FlexibleRunner, and weights cut into parts (FSDP) as far as one process can show it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from torch import Tensor
from torch.distributed.fsdp import FullyShardedDataParallel
from toy_run import build, toy_config, train

from bevdistill.engine import UntrainableError
from bevdistill.engine.launch import build_runner, run_training
from bevdistill.engine.trainable import check_strategy

pytestmark = pytest.mark.usefixtures('one_thread')

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA; this machine has none')
UNSCORED = dict(runner_type='FlexibleRunner', val_dataloader=None, val_evaluator=None, val_cfg=None)


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A group of one process."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    backend = 'nccl' if torch.cuda.is_available() else 'gloo'
    dist.init_process_group(backend, init_method=f'file://{tmp_path}/meet', rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def sharded(folder: Path, device: str, **changes: Any) -> Config:
    wrapper = dict(type='MMFullyShardedDataParallel', use_orig_params=True)
    # By default mmengine names the GPU of this process.
    wrapper |= dict(device_id='cpu') if device == 'cpu' else {}
    strategy = dict(type='FSDPStrategy', state_dict_cfg='full', model_wrapper=wrapper)
    cfg = toy_config(folder, by_iter=True, **UNSCORED, strategy=strategy, **changes)
    cfg.launcher = 'pytorch'
    cfg.experiment_name = f'sharded-{folder.name}-{len(changes)}'
    return cfg


def saved(folder: Path) -> dict[str, Tensor]:
    return torch.load(folder / 'run' / 'iter_12.pth', map_location='cpu', weights_only=True)['state_dict']


@pytest.fixture
def start(tmp_path: Path) -> str:
    """A checkpoint to start from: this runner builds its model later, hence with other random numbers."""
    (tmp_path / 'first').mkdir()
    train(toy_config(tmp_path / 'first', by_iter=True))
    return str(tmp_path / 'first' / 'run' / 'iter_12.pth')


@pytest.fixture
def want(tmp_path: Path, start: str) -> dict[str, Tensor]:
    """Weights that mmengine's ordinary runner trains from there."""
    (tmp_path / 'plain').mkdir()
    train(toy_config(tmp_path / 'plain', by_iter=True, load_from=start))
    return saved(tmp_path / 'plain')


@pytest.mark.usefixtures('group')
@pytest.mark.parametrize('device', ['cpu', pytest.param('cuda', marks=CUDA)])
def test_same_weights_as_without_it(tmp_path: Path, start: str, want: dict[str, Tensor], device: str) -> None:
    runner = build_runner(sharded(tmp_path, device, load_from=start))
    runner.train()
    assert isinstance(runner.model, FullyShardedDataParallel)
    got = saved(tmp_path)
    assert got.keys() == want.keys()
    for key, value in want.items():
        torch.testing.assert_close(got[key], value, rtol=1e-4, atol=1e-6, msg=key)
    # Its checkpoint is an ordinary one.
    last = str(tmp_path / 'run' / 'iter_12.pth')
    build(toy_config(tmp_path, by_iter=True, load_from=last)).test()


def test_the_flexible_runner_trains(tmp_path: Path, start: str, want: dict[str, Tensor]) -> None:
    strategy = dict(type='SingleDeviceStrategy')
    run_training(toy_config(tmp_path, by_iter=True, **UNSCORED, strategy=strategy, load_from=start))
    got = saved(tmp_path)
    assert all(torch.equal(got[key], value) for key, value in want.items())


@pytest.mark.skipif(torch.cuda.is_available(), reason='FSDP is for CUDA')
def test_sharding_among_processes_on_cpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UntrainableError, match='FSDPStrategy needs GPUs'):
        run_training(sharded(tmp_path, 'cpu'))


def test_what_cannot_be_sharded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('bevdistill.engine.trainable.get_device', lambda: 'cuda')
    cfg = Config(dict(model=dict(type='BEVDistiller', teacher_cache=None), strategy=dict(type='FSDPStrategy')))
    with pytest.raises(UntrainableError, match=r'would stay behind on the CPU: read it from a cache'):
        check_strategy(cfg)
    cfg.model.teacher_cache = 'cache'
    check_strategy(cfg)
    check_strategy(Config(dict(model=dict(type='BEVDistiller'))))
    cfg.resume = True
    with pytest.raises(UntrainableError, match=r'cannot be resumed.*load_from'):
        check_strategy(cfg)
