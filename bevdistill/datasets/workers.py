"""End a run whose data loader has lost a worker, in a set time and with one line."""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
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


def time_limit(cfg: Config) -> float:
    """Return the shortest limit of the data loaders of a config that have workers."""
    limits = [loader.get('timeout') or WAIT_SECONDS for loader in _loaders(cfg) if loader.get('num_workers', 0) > 0]
    return float(min(limits, default=WAIT_SECONDS))


@contextmanager
def lost_worker_explained(seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Turn torch's errors about workers into one line, and end the workers that are left.

    A stopped worker (SIGSTOP, a debugger, a disk that hangs) does not end when it is asked to, and the process would
    wait for it for ever at its own end: workers are killed.

    Note:
        A batch in shared memory is fetched from its worker by a call that torch's ``timeout`` does not cover: of a
        worker that is stopped between writing and handing over, it never returns. So workers that are stopped for too
        long are killed from a thread.

    Args:
        seconds: How long a worker may be stopped.

    Raises:
        LostWorkerError: In place of the error of torch, or of the connection to the worker.
    """
    done, ended = threading.Event(), list[int]()
    threading.Thread(target=_end_stopped, args=(done, ended, seconds), daemon=True).start()
    try:
        yield
    except (RuntimeError, OSError, EOFError) as error:
        found = _LOST.search(str(error))
        if found is None and not ended:
            raise
        _kill_workers()
        message = _message(found) if found is not None and not ended else _waited(seconds)
        raise LostWorkerError(message) from error
    finally:
        done.set()


def _end_stopped(done: threading.Event, ended: list[int], seconds: float) -> None:
    """Kill workers that are stopped for so long, until `done`; their process ids go to `ended`.

    Looks are counted and not seconds: a run that was suspended as a whole, with its workers, goes on. A look asks every
    process of the machine for its parent, so there are eight in that time and no more.
    """
    own, interval = psutil.Process(), seconds / 8
    looks: dict[int, int] = {}
    while not done.wait(interval):
        with contextlib.suppress(psutil.Error):
            # Not multiprocessing's own list: asking it waits for processes, and torch would not hear how they ended.
            stopped = {child.pid: child for child in own.children() if child.status() == psutil.STATUS_STOPPED}
            looks = {pid: looks.get(pid, 0) + 1 for pid in stopped if _is_worker(stopped[pid], own)}
            for pid in [pid for pid, count in looks.items() if count * interval > seconds]:
                ended.append(pid)
                stopped[pid].kill()


def _is_worker(child: psutil.Process, own: psutil.Process) -> bool:
    """Tell whether a child is a fork of this process, or was started by multiprocessing."""
    words = child.cmdline()
    return words == own.cmdline() or any('multiprocessing' in word for word in words)


def _waited(seconds: float) -> str:
    return (
        f'no worker of the data loader gave a batch for {seconds:g} s: one was stopped, or the disk hangs. {_GO_ON}; a '
        'slow disk wants a larger timeout in the config of the data loader (seconds), or more workers'
    )


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
        return _waited(float(found['waited']))
    how = f'was ended by a signal ({found["signal"].strip()})' if found['signal'] else 'ended without a word'
    return (
        f'a worker of the data loader (process {found["pid"].strip()}) {how}, most often because the memory ran out: '
        f'use fewer num_workers or a smaller batch. {_GO_ON}'
    )
