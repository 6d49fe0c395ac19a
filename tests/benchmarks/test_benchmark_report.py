"""Tables of the benchmark, written out by hand from small figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import report


def spread(median: float, low: float, high: float) -> dict[str, float]:
    return dict(median=median, low=low, high=high, repeats=3)


RESULTS: dict[str, Any] = dict(
    command='bevdistill bench',
    date='2026-01-02',
    minutes=1.25,
    repeats=3,
    machine=dict(processor='CPU X', cores=4, threads=1, device='cpu', system='Linux', versions=dict(python='3.11.7')),
    ratios=dict(
        fast=dict(what='a / b', **spread(0.5, 0.4, 0.6), target=0.5, met=True),
        slow=dict(what='c / d', **spread(1.3, 1.2, 1.4), target=1.05, met=False),
    ),
    times=dict(
        step=dict(what='step', **spread(2.0, 1.5, 2.5), samples_per_second=0.5, peak_bytes=3 * 2**20),
        draw=dict(what='draw', **spread(0.001, 0.001, 0.002), samples_per_second=1000.0, peak_bytes=None),
    ),
    loader=dict(
        workers=2, batch_size=4, seconds_per_sample=spread(0.005, 0.004, 0.006), wait_seconds=spread(0.0, 0.0, 0.001),
        step_seconds=spread(0.5, 0.4, 0.6), worker_load=0.02,
    ),
    peaks=dict(flops=8e10, bytes=2e10),
    stages_image=[6, 480, 800],
    stages=dict(
        neck=dict(
            **spread(0.5, 0.4, 0.6), forward_seconds=0.2, backward_seconds=0.3, flops=2e10, bytes=1e9,
            share_of_product=0.5, share_of_copy=0.1,
        ),
    ),
    scaling=[
        dict(
            name='cells', what='encoder', sizes=[4, 8], seconds=[spread(1.0, 1.0, 1.0), spread(2.0, 2.0, 2.0)],
            exponent=1.0, factor=0.25, fixed=-0.1, each=0.25, order=1.0, as_expected=True,
        ),
        dict(
            name='frames', what='step', sizes=[1, 2], seconds=[spread(1.0, 1.0, 1.0), spread(4.0, 4.0, 4.0)],
            exponent=2.0, factor=1.0, fixed=1.0, each=3.0, order=1.0, as_expected=False,
        ),
    ],
)


def table_of(section: str) -> list[str]:
    text = report.report(RESULTS)
    title = report.SECTIONS[section][0]
    return text.partition(f'### {title}\n\n')[2].partition('\n\n###')[0].strip().splitlines()


def test_head_has_machine_command_and_clock() -> None:
    assert report.head(RESULTS).splitlines() == [
        '* Machine: CPU X, 4 cores, 1 thread(s) used; Linux; python 3.11.7.',
        '* Command: `bevdistill bench`, 2026-01-02, 1.2 minutes.',
        '* Seconds are processor time of the process: median and, in brackets, quartiles of 3 repeats in which the '
        'sides took turns. A ratio is taken in each repeat, then its median.',
    ]
    on_gpu = report.head(dict(RESULTS, machine=dict(RESULTS['machine'], device='GPU Y')))
    assert 'CPU X, 4 cores, 1 thread(s) used; GPU Y; Linux' in on_gpu
    assert 'Seconds are CUDA events' in on_gpu


def test_a_missed_target_stands_out() -> None:
    assert table_of('ratios')[2:] == [
        '| a / b | 0.5 (0.4 to 0.6) | at most 0.5 | met |',
        '| c / d | 1.3 (1.2 to 1.4) | at most 1.05 | **not met** |',
    ]


def test_times_and_memory() -> None:
    assert table_of('times') == [
        '| what | seconds | samples per second | memory added, MiB |',
        '| --- | --- | --- | --- |',
        '| step | 2 (1.5 to 2.5) | 0.5 | 3 |',
        '| draw | 0.001 (0.001 to 0.002) | 1000 | - |',
    ]


def test_loader_is_in_milliseconds() -> None:
    assert table_of('loader') == [
        '| 2 workers, batch 4 | measured |',
        '| --- | --- |',
        '| a sample, files to tensors, processor milliseconds of a worker | 5 (4 to 6) |',
        '| distilled step, milliseconds by the clock | 500 (400 to 600) |',
        '| wait before it, milliseconds by the clock | 0 (0 to 1) |',
        '| share of its time that a worker is busy | 0.02 |',
    ]


def test_stages_beside_the_peaks() -> None:
    lines = table_of('stages')
    assert lines[0] == (
        'Peaks of this machine: matrix product 80 GFLOP/s (float32), copy 20 GB/s (read and written). Images 6 x 480 x '
        '800, batch 1, one history frame.'
    )
    assert lines[-1] == '| neck | 0.5 (0.4 to 0.6) | 0.2 | 0.3 | 20 | 40 | 50% | 1 | 10% |'


def test_growth_and_its_fixed_part() -> None:
    """A straight line may cut the axis below zero: then nothing is fixed."""
    assert table_of('scaling')[2:] == [
        '| cells | encoder | 4, 8 | 1, 2 | 1.00 | 1 | as expected | 0% |',
        '| frames | step | 1, 2 | 1, 4 | 2.00 | 1 | **grows faster** | 25% |',
    ]


def test_only_what_was_measured_is_reported() -> None:
    text = report.report(dict(RESULTS, times={}, scaling=[], stages={}, loader=None), 'plot.png')
    assert [line for line in text.splitlines() if line.startswith('### ')] == ['### Ratios and targets']
    assert 'plot.png' not in text
    assert report.report(RESULTS, 'plot.png').endswith('](plot.png)\n')


def test_the_machine_is_described() -> None:
    facts = report.machine('cpu', 3)
    assert facts['device'] == 'cpu'
    assert facts['threads'] == 3
    assert facts['processor']
    assert {'python', 'torch', 'mmcv', 'mmdet3d'} == facts['versions'].keys()


def test_tables_go_between_the_marks() -> None:
    document = f'a\n{report.BEGIN}\nold\n{report.END}\nb\n'
    assert report.in_document(document, 'new\n') == f'a\n{report.BEGIN}\n\nnew\n\n{report.END}\nb\n'
    assert report.in_document(report.in_document(document, 'first\n'), 'new\n') == report.in_document(document, 'new\n')
    with pytest.raises(ValueError, match='no lines <!-- benchmark: begin -->'):
        report.in_document('a\n', 'new\n')


def test_the_published_page_has_the_marks_and_the_columns() -> None:
    """`docs/performance.md` can be written anew, and shows what the report writes."""
    page = (Path(__file__).resolve().parents[2] / 'docs' / 'performance.md').read_text()
    assert report.in_document(page, 'new\n') != page
    for section in report.SECTIONS:
        head = next(line for line in table_of(section) if line.startswith('| '))
        assert head in page, section


def test_spreads_are_short() -> None:
    assert report.spread(dict(median=0.41, low=0.4, high=0.43, repeats=3)) == '0.41 (0.4 to 0.43)'
    assert report.spread(dict(median=0.41, low=0.41, high=0.41, repeats=1)) == '0.41'
