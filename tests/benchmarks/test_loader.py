"""Whether training waits for its data, with batches that come at made-up times."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import ConfigDict

from benchmarks import loader
from benchmarks.loader import endless, measure_loader, sample_seconds


def test_a_small_data_set_begins_again() -> None:
    assert list(islice(endless([1, 2]), 5)) == [1, 2, 1, 2, 1]


def test_seconds_of_samples_begin_with_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first reads what the others share. A data set of two begins again; sample i takes 2^i seconds."""
    now, read = [0.0], []

    class Data:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> dict[str, int]:
            now[0] += 2.0 ** len(read)
            read.append(index)
            return dict(index=index)

    monkeypatch.setattr(loader, 'time', SimpleNamespace(process_time=lambda: now[0]))
    assert sample_seconds(Data(), 4) == [2, 4, 8, 16]
    assert read == [0, 1, 0, 1, 0]


def test_waits_and_steps_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches ahead wait for 100 s and do not count; then steps of 10 s wait 0.1 and 0.3 s: a share of 0.02."""
    now = [0.0]
    waits = iter([100.0] * loader.AHEAD + [0.1, 0.3])
    closed: list[bool] = []

    def batches(data: Any) -> Iterator[str]:
        try:
            for wait in waits:
                now[0] += wait
                yield 'batch'
        finally:
            closed.append(True)

    def seconds(run: Any) -> float:
        run()
        now[0] += 10.0
        return 4.0

    cfg = SimpleNamespace(train_dataloader=ConfigDict(batch_size=4), model='model')
    trained: list[Any] = []
    shares: list[float] = []
    monkeypatch.setattr(loader, 'time', SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(loader, 'prepared', lambda settings, config: cfg)
    monkeypatch.setattr(loader, 'build', lambda model, device: model)
    monkeypatch.setattr(loader, 'trainer', lambda cfg, model: trained.append)
    monkeypatch.setattr(loader, 'endless', batches)
    monkeypatch.setattr(loader, 'sample_seconds', lambda data, number: [0.5] * number)
    monkeypatch.setattr(
        loader, 'Runner', SimpleNamespace(build_dataloader=lambda config, seed: SimpleNamespace(dataset=config))
    )
    settings: Any = SimpleNamespace(
        config='', device='cpu', quick=True, repeats=9, clock=SimpleNamespace(seconds=seconds), step=shares.append
    )
    found = measure_loader(settings)
    row, numbers = found['ratios']['loader_wait'], found['loader']
    assert row['median'] == pytest.approx(0.4 / 20) and row['target'] == 0.05 and row['met']
    assert (row['low'], row['high'], row['repeats']) == (pytest.approx(0.015), pytest.approx(0.025), 2)
    assert numbers['wait_seconds']['median'] == pytest.approx(0.2)
    assert numbers['step_seconds']['median'] == pytest.approx(10)
    assert numbers['workers'] == cfg.train_dataloader.num_workers == 2 and not cfg.train_dataloader.persistent_workers
    # With quick sizes a batch is one sample: two workers each spend half of 0.5 s on it, beside a step of 4 s.
    assert numbers['batch_size'] == 1 and numbers['worker_load'] == pytest.approx(0.5 * 1 / 2 / 4)
    assert trained == ['batch'] * 5 and shares == [1 / 6] * 5 and closed == [True]
