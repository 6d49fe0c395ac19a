"""Times of sides that take turns, their spread, and peaks of memory, by hand."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from benchmarks import clock as clocks
from benchmarks.clock import Clock, Spread, peak_bytes, ratio


def test_spread_by_hand() -> None:
    # Quartiles of five sorted numbers are the second and the fourth.
    assert Spread.of([10.0, 1.0, 3.0, 2.0, 4.0]) == Spread(3.0, 2.0, 4.0, 5)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0, 1)
    with pytest.raises(ValueError, match='need at least one measurement'):
        Spread.of([])


def test_ratio_is_taken_round_by_round() -> None:
    # A machine at half its speed in the second round: 3 / (1 + 2), 8 / (2 + 4) and 2 / (1 + 1).
    times = dict(both=[3.0, 8.0, 2.0], one=[1.0, 2.0, 1.0], other=[2.0, 4.0, 1.0])
    measured = ratio(times, ['both'], ['one', 'other'])
    assert measured.median == pytest.approx(1.0)
    assert measured.high == pytest.approx((1 + 8 / 6) / 2)
    with pytest.raises(ValueError, match=r'equally many repeats, got \[1, 3\]'):
        ratio(dict(times, one=[1.0]), ['both'], ['one'])


def test_a_ratio_of_sums_is_no_sum_of_ratios() -> None:
    """Two sides above, two below: (1 + 3) / (1 + 1) and (2 + 2) / (4 + 4)."""
    times = dict(a=[1.0, 2.0], b=[3.0, 2.0], c=[1.0, 4.0], d=[1.0, 4.0])
    assert ratio(times, ['a', 'b'], ['c', 'd']) == Spread(1.25, 0.875, 1.625, 2)


def test_sides_take_turns() -> None:
    order: list[str] = []
    rounds: list[int] = []
    sides = {name: (lambda name=name: order.append(name)) for name in 'ab'}
    times = Clock('cpu').alternate(sides, 2, lambda: rounds.append(len(order)))
    assert ''.join(order) == 'ba' + 'ab' + 'ba'
    assert rounds == [2, 4, 6]
    assert {name: len(seconds) for name, seconds in times.items()} == dict(a=2, b=2)


def test_waiting_is_no_processor_time() -> None:
    assert Clock('cpu').seconds(lambda: time.sleep(0.2)) < 0.1


def test_peak_memory_by_hand() -> None:
    there_before = torch.ones(1000, 1000)

    def run() -> None:
        first = there_before + 1
        second = first + 1
        del first
        third = second + 1
        del second, third

    # Two matrices of 4 MB at a time, the third in the place of the first.
    assert peak_bytes(run, 'cpu') == pytest.approx(8e6, rel=0.01)


def test_rounds_that_warm_up_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run takes a second longer than the one before: rounds 0 and 1 warm up, of rounds 2 and 3 both are kept."""
    now = [0.0, 0.0]

    def run() -> None:
        now[1] += 1
        now[0] += now[1]

    monkeypatch.setattr(clocks, 'time', SimpleNamespace(process_time=lambda: now[0]))
    ticks: list[None] = []
    times = Clock('cpu').alternate(dict(a=run, b=run), 2, lambda: ticks.append(None), warm_ups=2)
    # Backwards, forwards, then backwards: b 5, a 6; forwards: a 7, b 8.
    assert times == dict(a=[6.0, 7.0], b=[5.0, 8.0]) and len(ticks) == 4
    assert Clock('cpu').alternate({}, 3, lambda: None) == {}
    assert Clock('cpu').alternate(dict(a=run), 2, lambda: None, warm_ups=0) == dict(a=[9.0, 10.0])


def test_a_gpu_is_timed_by_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """In milliseconds between the two; before and after, the host waits for what is under way."""
    order: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            order.append('event')

        def elapsed_time(self, end: Event) -> float:
            assert end is not self
            return 250.0

    monkeypatch.setattr(torch.cuda, 'Event', Event)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: order.append('wait'))
    assert Clock('cuda').seconds(lambda: order.append('run')) == 0.25
    assert order == ['wait', 'event', 'run', 'event', 'wait']


def test_peak_memory_of_a_gpu_is_beside_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    peak = [900]
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: None)
    monkeypatch.setattr(torch.cuda, 'memory_allocated', lambda: 100)
    monkeypatch.setattr(torch.cuda, 'reset_peak_memory_stats', lambda: peak.append(100))
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda: peak[-1])
    assert peak_bytes(lambda: peak.append(peak[-1] + 40), 'cuda') == 40


def test_nothing_allocated_has_no_peak() -> None:
    assert peak_bytes(lambda: None, 'cpu') == 0
