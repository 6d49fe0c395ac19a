"""End a run whose data loader has lost a worker, in a set time and with one line."""

from __future__ import annotations

import multiprocessing
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import Config

WAIT_SECONDS = 300
"""How long a batch may take before its worker counts as lost, where a data loader's ``timeout`` says nothing else."""

_KILL_SECONDS = 5.0
"""How long a killed worker may take to end: one in the middle of a read of a hanging disk does not end at all."""

_LOST = re.compile(
    r'DataLoader (?:worker \(pid(?:\(s\))? (?P<pid>[\d, ]+)\) '
    r'(?:is killed by signal: (?P<signal>[^.]+)|exited unexpectedly)|timed out after (?P<waited>[\d.]+) seconds)'
)
_GO_ON = 'A training goes on with --resume'


class LostWorkerError(ChildProcessError):
    """A worker of the data loader was killed, or gave nothing for too long."""


def set_time_limits(cfg: Config) -> None:
    """Give the data loaders of a config that have workers a limit for each batch, in place."""
    for loader in _loaders(cfg):
        if loader.get('num_workers', 0) > 0:
            loader.setdefault('timeout', WAIT_SECONDS)


def set_pinned(cfg: Config) -> None:
    """Let the data loaders of a config hand over page-locked batches where a CUDA device takes them, in place."""
    if not torch.cuda.is_available():
        return
    for loader in _loaders(cfg):
        loader.setdefault('pin_memory', True)


def _loaders(cfg: Config) -> list[dict[str, Any]]:
    return list(filter(None, (cfg.get(f'{split}_dataloader') for split in ('train', 'val', 'test'))))


@contextmanager
def lost_worker_explained() -> Iterator[None]:
    """Turn torch's errors about workers into one line, and end the workers that are left.

    A stopped worker (SIGSTOP, a debugger, a disk that hangs) does not end when it is asked to, and the process would
    wait for it for ever at its own end: workers are killed.

    Raises:
        LostWorkerError: In place of torch's ``RuntimeError``.
    """
    try:
        yield
    except RuntimeError as error:
        found = _LOST.search(str(error))
        if found is None:
            raise
        _kill_workers()
        raise LostWorkerError(_message(found)) from error


def _kill_workers() -> None:
    """Kill the workers and wait for their end, unheard by torch.

    Its handler of SIGCHLD raises wherever the process is when a worker ends by a signal, here in place of the one line.
    """
    heard = signal.getsignal(signal.SIGCHLD) if threading.current_thread() is threading.main_thread() else None
    if heard is not None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    workers = [child for child in multiprocessing.active_children() if child.daemon]
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join(_KILL_SECONDS)
    if heard is not None:
        signal.signal(signal.SIGCHLD, heard)


def _message(found: re.Match[str]) -> str:
    if found['waited']:
        return (
            f'no worker of the data loader gave a batch for {float(found["waited"]):g} s: one was stopped, or the disk '
            f'hangs. {_GO_ON}; a slow disk wants a larger timeout in the config of the data loader (seconds), or more '
            'workers'
        )
    how = f'was ended by a signal ({found["signal"].strip()})' if found['signal'] else 'ended without a word'
    return (
        f'a worker of the data loader (process {found["pid"].strip()}) {how}, most often because the memory ran out: '
        f'use fewer num_workers or a smaller batch. {_GO_ON}'
    )
