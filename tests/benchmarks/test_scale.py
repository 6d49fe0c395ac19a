"""Figures of the calculation of scale, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.scale import Machine, Model, plan, reduce_seconds, step_seconds

MACHINE = Machine(
    tflops=100, share=0.1, overhead=0.1, cards=8, network=10, link=100, cores=100, core_samples=1, disk=1, overlap=0.5
)
MODEL = Model(parameters=100e6, student=1000, teacher=500, frames=(1, 2), epochs=10, image_bytes=1e6, point_bytes=5e6,
              cache_bytes=10e6)  # fmt: skip


def test_step() -> None:
    # 1000 GFLOP three times, and once for each frame of the history, at 10 TFLOP/s.
    assert step_seconds(MODEL, MACHINE, cached=True) == pytest.approx(0.6)
    assert step_seconds(MODEL, MACHINE, cached=False) == pytest.approx(0.65)


def test_reduction() -> None:
    assert reduce_seconds(MODEL, MACHINE, 8) == pytest.approx(800e6 * 7 / 8 / 100e9)
    assert reduce_seconds(MODEL, MACHINE, 64) == pytest.approx(800e6 * 63 / 64 / 10e9)
    assert reduce_seconds(MODEL, MACHINE, 1) == 0


def test_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scale.MODELS, 'made up', MODEL)
    found = plan('made up', MACHINE, 8, 36_000, cached=True)
    rate = 8 / 0.6  # the reduction hides behind the backward pass
    assert found['read'] == pytest.approx(rate * 13e6 / 1e9)
    assert found['processes'] == pytest.approx(rate * 3)
    assert (found['busiest'], found['step']) == ('loaders', pytest.approx(0.6))
    assert found['hours'] == pytest.approx(10 * 36_000 / rate / 3600)
    slow = Machine(**(vars(MACHINE) | dict(cores=20)))
    assert plan('made up', slow, 8, 36_000, cached=True)['step'] == pytest.approx(0.6 * rate * 3 / 20), 'it waits'
    slow = Machine(**(vars(MACHINE) | dict(network=1)))
    found = plan('made up', slow, 64, 36_000, cached=True)
    assert (found['busiest'], found['step']) == ('network', pytest.approx(0.3 + 800e6 * 63 / 64 / 1e9))


def test_page_quotes_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scale.main(['--json', str(tmp_path / 'plans.json')])
    printed = capsys.readouterr().out
    page = (Path(scale.__file__).parents[1] / 'docs' / 'scale.md').read_text()
    lines = [line for line in printed.splitlines() if line.startswith('|')]
    assert len(lines) > 20
    assert [line for line in lines if line not in page] == []
    assert len(json.loads((tmp_path / 'plans.json').read_text())['plans']) == len(scale.MODELS) * len(scale.DATA) * 6
