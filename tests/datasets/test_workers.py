"""A data loader that lost a worker ends the run, in time and with one line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest
from mmengine.config import Config
from torch.utils.data import DataLoader

from bevdistill.datasets.workers import WAIT_SECONDS, LostWorkerError, lost_worker_explained, set_time_limits


class Halting:
    """A data set whose worker sends itself a signal at its second item."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        if index == 1:
            os.kill(os.getpid(), self.number)
        return index


@pytest.mark.parametrize(
    ('number', 'message'),
    [
        (signal.SIGKILL, r'a worker of the data loader \(process \d+\) .*memory.*--resume'),
        (signal.SIGSTOP, r'no worker of the data loader gave a batch for 1 s: .*--resume'),
    ],
)
def test_killed_and_stopped_workers(number: int, message: str) -> None:
    began = time.monotonic()
    loader = DataLoader(Halting(number), num_workers=1, timeout=1)
    with pytest.raises(LostWorkerError, match=message) as caught, lost_worker_explained():
        list(loader)
    assert '\n' not in str(caught.value)
    assert time.monotonic() - began < 15
    # Nothing is heard of them later, either: torch's handler raises when a worker ends by a signal.
    assert callable(signal.getsignal(signal.SIGCHLD))
    assert not [child for child in multiprocessing.active_children() if child.daemon], 'a stopped worker was left'


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match='shapes differ'), lost_worker_explained():
        raise RuntimeError('shapes differ')


def test_time_limits_are_for_loaders_with_workers() -> None:
    cfg = Config(dict(
        train_dataloader=dict(num_workers=2), val_dataloader=dict(num_workers=0), test_dataloader=None,
    ))  # fmt: skip
    set_time_limits(cfg)
    assert cfg.train_dataloader.timeout == WAIT_SECONDS
    assert 'timeout' not in cfg.val_dataloader
    cfg.train_dataloader.timeout = 7
    set_time_limits(cfg)
    assert cfg.train_dataloader.timeout == 7
