"""What a signal does to a training: saved for the end of an iteration, at once while it waits, or in a forked child."""

from __future__ import annotations

import os
import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from bevdistill.engine import stopping
from bevdistill.engine.stopping import (
    SIGNALS,
    STOPPED,
    RunStopped,
    StopRequest,
    WaitStopped,
    current_request,
    stop_on_signals,
)


def test_a_training_is_stopped_later() -> None:
    request = StopRequest()
    assert request.name == ''
    request.training = True
    request.take(signal.SIGUSR1, None)
    assert request.name == 'SIGUSR1'
    request.take(signal.SIGTERM, None)
    assert request.name == 'SIGTERM'


def test_a_second_interrupt_ends_without_saving() -> None:
    """Only SIGINT, which people send by hand; a first one is enough of a warning."""
    request = StopRequest()
    request.training = True
    request.take(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        request.take(signal.SIGINT, None)


def test_a_wait_for_data_ends_at_once_and_once() -> None:
    request = StopRequest()
    request.training = request.waiting = True
    with pytest.raises(WaitStopped):
        request.take(signal.SIGTERM, None)
    assert not request.waiting and request.name == 'SIGTERM'
    request.take(signal.SIGTERM, None)
    assert not issubclass(WaitStopped, Exception)


def test_before_and_after_a_training_it_ends_at_once() -> None:
    with pytest.raises(RunStopped, match=r'^stopped by SIGTERM while nothing was to be saved$') as ended:
        StopRequest().take(signal.SIGTERM, None)
    assert ended.value.code == STOPPED == os.EX_TEMPFAIL


@pytest.mark.parametrize(('number', 'sent'), [(signal.SIGTERM, True), (signal.SIGINT, False), (signal.SIGUSR1, False)])
def test_a_forked_child_is_no_training(number: int, sent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of the data loader end by SIGTERM as processes do by default, and pass over the rest."""
    request, done = StopRequest(), []
    child = SimpleNamespace(getpid=lambda: -1, kill=lambda pid, number: done.append((pid, number)))
    monkeypatch.setattr(stopping, 'os', child)
    monkeypatch.setattr(signal, 'signal', lambda number, handler: done.append((number, handler)))
    request.take(number, None)
    assert request.name == ''
    assert done == ([(number, signal.SIG_DFL), (-1, number)] if sent else [])


def test_handlers_are_there_for_the_time_of_a_training() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    outside = current_request()
    with stop_on_signals() as request:
        assert current_request() is request and request is not outside
        assert all(signal.getsignal(number) == request.take for number in SIGNALS)
        request.training = True
        os.kill(os.getpid(), signal.SIGUSR1)
        assert request.name == 'SIGUSR1'
    assert {number: signal.getsignal(number) for number in SIGNALS} == before
    assert current_request().name == '' and current_request() is not request
    with pytest.raises(ZeroDivisionError), stop_on_signals():
        raise ZeroDivisionError
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_another_thread_takes_no_signals() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def train() -> None:
        with stop_on_signals() as request:
            seen.append((request is current_request(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [(True, before)]


def test_the_message_is_what_is_printed() -> None:
    ended: Any = RunStopped('saved')
    assert str(ended) == ended.message == 'saved' and isinstance(ended, SystemExit)
