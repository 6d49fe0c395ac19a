from __future__ import annotations

from typing import Any

import pytest
import torch

from bevdistill.structures import BEVGrid, BEVOutputs
from bevdistill.teacher_cache import RecordLayout
from bevdistill.teacher_cache.record_layout import QUERY_TAPS, best_queries

ALL = ('bev', 'states', 'heatmap', 'heatmap_features')
GRID = BEVGrid((-8.0, -6.0, -5.0, 8.0, 6.0, 3.0), rows=3, cols=5)


def outputs(batch: int = 2, queries: int = 7, heatmap: bool = True, **changes: Any) -> BEVOutputs:
    """Odd sizes everywhere, so that nothing is aligned by chance."""
    layers, channels, classes = 3, 5, 3
    maps = dict(heatmap=torch.randn(batch, classes, 3, 5), heatmap_features=torch.randn(batch, 7, 3, 5))
    values = dict(
        bev=torch.randn(batch, channels, 3, 5),
        states=torch.randn(layers, batch, queries, channels),
        logits=torch.randn(layers, batch, queries, classes),
        codes=torch.randn(layers, batch, queries, 10) * 50,
        references=torch.rand(layers, batch, queries, 2),
        **(maps if heatmap else {}),
    )
    return BEVOutputs(grid=GRID, **(values | changes))


def round_trip(given: BEVOutputs, taps: tuple[str, ...], dtype: str) -> tuple[RecordLayout, BEVOutputs]:
    layout = RecordLayout.plan(given, taps, dtype)
    layout = RecordLayout.from_plain(layout.to_plain())
    records = torch.stack([torch.from_numpy(layout.pack(given, index)) for index in range(given.batch_size)])
    return layout, layout.unpack(records, GRID)


@pytest.mark.parametrize('batch', [1, 2])
def test_float32_is_exact(batch: int) -> None:
    given = outputs(batch)
    _, got = round_trip(given, ALL, 'float32')
    assert got.taps() == given.taps()
    for tap in given.taps():
        assert torch.equal(getattr(got, tap), getattr(given, tap)), tap


def test_float16_rounds_maps_and_states_and_keeps_boxes() -> None:
    given = outputs()
    layout, got = round_trip(given, ALL, 'float16')
    for tap in given.taps():
        value, want = getattr(got, tap), getattr(given, tap)
        assert value.dtype is torch.float32
        assert torch.equal(value, want if tap in QUERY_TAPS else want.half().float()), tap
    numbers = 3 * 7 * (3 + 10 + 2), 3 * 5 * (5 + 3 + 7) + 3 * 7 * 5
    assert 4 * numbers[0] + 2 * numbers[1] <= layout.nbytes < 4 * numbers[0] + 2 * numbers[1] + 8 * 16
    assert layout.nbytes % 16 == 0
    assert all(entry.start % 16 == 0 for entry in layout.entries)


def test_what_is_left_out_has_no_channels() -> None:
    layout, got = round_trip(outputs(), ('heatmap_features',), 'float32')
    assert layout.taps == (*QUERY_TAPS, 'heatmap_features')
    assert got.bev.shape == (2, 0, 3, 5)
    assert got.states.shape == (3, 2, 7, 0)
    assert got.heatmap is None


def test_a_teacher_without_heatmap() -> None:
    given = outputs(heatmap=False)
    _, got = round_trip(given, ('bev', 'states'), 'float32')
    assert got.taps() == given.taps()


def test_values_that_do_not_fit() -> None:
    big = outputs(bev=torch.full((2, 5, 3, 5), 70000.0))
    with pytest.raises(ValueError, match=r"'bev' has values that float16 cannot hold \(largest: 70000\); store it"):
        round_trip(big, ALL, 'float16')
    round_trip(big, ALL, 'float32')
    broken = outputs(states=torch.full((3, 2, 7, 5), float('nan')))
    with pytest.raises(ValueError, match=r"'states' has values that float32 cannot hold \(largest: nan\)$"):
        round_trip(broken, ALL, 'float32')


def test_best_queries_are_those_of_a_loop() -> None:
    given = outputs(batch=2, queries=9)
    got = best_queries(given, 4)
    for sample in range(2):
        scores = [max(given.logits[-1, sample, query].tolist()) for query in range(9)]
        order = sorted(range(9), key=lambda query: -scores[query])[:4]
        for tap in (*QUERY_TAPS, 'states'):
            for layer in range(3):
                want = torch.stack([getattr(given, tap)[layer, sample, query] for query in order])
                assert torch.equal(getattr(got, tap)[layer, sample], want)
    assert torch.equal(got.bev, given.bev)
    assert best_queries(given, 100).logits.shape == given.logits.shape
