"""Names, order and choice of jobs, on a graph of three rows made by hand."""

from __future__ import annotations

import pytest

from bevdistill.studies.graph import Job, checkpoint_of, first_seeds_first, held_out_name, run_name, with_needs
from bevdistill.studies.work_dirs import split_seed


def job(name: str, kind: str = 'run', *needs: str) -> Job:
    row, seed = split_seed(name)
    return Job(name, kind, list(needs), 'x', [], row=row if kind != 'cache' else None, seed=seed)


JOBS = [
    job('t_seed0'), job('a_seed0'), job('a_seed1'), job('cache-c', 'cache', 't_seed0'),
    job('b_seed0', 'run', 't_seed0', 'cache-c'), job('b_seed1', 'run', 'a_seed1', 'cache-c'),
]  # fmt: skip


def graph() -> dict[str, Job]:
    return {entry.name: entry for entry in JOBS}


def test_names_can_be_read_back() -> None:
    assert split_seed(run_name('a-b', 12)) == ('a-b', 12)
    assert held_out_name('a_seed1') == 'held-out-a_seed1'
    assert checkpoint_of('a_seed1') == '<checkpoint of a_seed1>'


@pytest.mark.parametrize(
    ('rows', 'optional', 'names'),
    [
        ([], [], list(graph())),
        (['a'], [], ['a_seed0', 'a_seed1']),
        (['b'], [], ['t_seed0', 'a_seed1', 'cache-c', 'b_seed0', 'b_seed1']),
        (['b', 't'], ['b'], ['t_seed0', 'a_seed1', 'cache-c', 'b_seed0', 'b_seed1']),
        ([], ['b'], ['t_seed0', 'a_seed0', 'a_seed1']),
        ([], ['a', 'b'], ['t_seed0']),
        ([], ['a'], ['t_seed0', 'a_seed1', 'cache-c', 'b_seed0', 'b_seed1']),
    ],
)
def test_rows_and_what_they_need(rows: list[str], optional: list[str], names: list[str]) -> None:
    assert with_needs(graph(), rows, optional) == names


def test_held_out_tests_do_not_pull_in_other_rows() -> None:
    jobs = graph()
    jobs['held-out-a_seed0'] = Job('held-out-a_seed0', 'held_out', list(graph()), 'x', [], row='a', seed=0)
    assert with_needs(jobs, ['a']) == ['a_seed0', 'a_seed1', 'held-out-a_seed0']


def test_unknown_rows_are_named() -> None:
    with pytest.raises(ValueError, match=r"no rows \['x', 'y'\]; there are \['t', 'a', 'b'\]"):
        with_needs(graph(), ['y', 'a', 'x'])


def test_first_seeds_first_and_after_what_they_need() -> None:
    seeds = dict(t=[0], a=[0, 1], b=[0, 1])
    assert list(first_seeds_first(graph(), seeds)) == [
        't_seed0', 'a_seed0', 'cache-c', 'b_seed0', 'a_seed1', 'b_seed1'
    ]  # fmt: skip
    turned = first_seeds_first(graph(), dict(seeds, b=[1, 0]))
    assert list(turned) == ['t_seed0', 'a_seed0', 'cache-c', 'a_seed1', 'b_seed0', 'b_seed1']
