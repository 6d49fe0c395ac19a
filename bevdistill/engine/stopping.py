"""Ask a training to stop by SIGTERM, SIGINT or SIGUSR1: it saves a checkpoint and ends with a status of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPED = 75
"""Exit status of a training that was asked to stop: EX_TEMPFAIL of sysexits.h, run the same command again."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class RunStopped(SystemExit):
    """Ends a training that was asked to stop, with the status :data:`STOPPED`."""

    def __init__(self, message: str) -> None:
        super().__init__(STOPPED)
        self.message = message

    def __str__(self) -> str:
        return self.message


class WaitStopped(BaseException):
    """Ends the wait for data of a training that was asked to stop; no error, so that no handler of errors takes it."""


class StopRequest:
    """What this process was asked by a signal.

    Args:
        name: Name of the signal, empty while there is none.
    """

    def __init__(self) -> None:
        self.name = ''
        self.training = False
        """Whether a training is between its first and its last iteration, and stops at the end of one."""
        self.waiting = False
        """Whether it waits for data, and the wait may be ended at once."""
        self._owner = os.getpid()

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; a second SIGINT ends the process without saving."""
        if os.getpid() != self._owner:
            # A forked child. Workers of the data loader go on until their parent ends them.
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        again, self.name = bool(self.name), signal.Signals(number).name
        if again and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.training:
            raise RunStopped(f'stopped by {self.name} while nothing was to be saved')
        if self.waiting:
            self.waiting = False
            raise WaitStopped


_current = StopRequest()


def current_request() -> StopRequest:
    """Return what this process was asked; outside :func:`stop_on_signals` nothing."""
    return _current


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Take the signals for the time of a training; elsewhere than in the main thread do nothing."""
    global _current
    _current = request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before: dict[signal.Signals, Any] = {number: signal.signal(number, request.take) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _current = StopRequest()
