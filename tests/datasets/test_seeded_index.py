"""The seed of a draw depends on its place in the run alone."""

from __future__ import annotations

import pickle
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler

import bevdistill.datasets.seeded_index as draws
from bevdistill.datasets.seeded_index import SeededDataset, SeededIndex, SeededSampler


class Noise:
    metainfo = dict(classes=['car'])

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return index, np.random.rand(), float(torch.rand(1)), type(index)


def test_draw_is_an_index_that_survives_the_way_to_a_worker() -> None:
    draw = pickle.loads(pickle.dumps(SeededIndex(3, seed=9)))
    assert draw == 3 and draw.seed == 9
    assert ['a', 'b', 'c', 'd'][draw] == 'd'


def test_order_is_that_of_the_default_sampler() -> None:
    ours, theirs = SeededSampler(range(7), seed=3), DefaultSampler(range(7), seed=3)
    for epoch in range(3):
        ours.set_epoch(epoch)
        theirs.set_epoch(epoch)
        assert list(ours) == list(theirs)


def test_every_draw_has_its_own_seed() -> None:
    sampler = SeededSampler(range(7), seed=3, infinite=True)
    seeds = [draw.seed for draw in islice(sampler, 50)]
    assert len(set(seeds)) == 50
    other = SeededSampler(range(7), seed=4, infinite=True)
    assert not set(seeds) & {draw.seed for draw in islice(other, 50)}


@pytest.mark.parametrize('skip', [0, 3, 7, 20])
def test_infinite_sampler_goes_on_where_it_was(skip: int) -> None:
    whole, part = SeededSampler(range(7), seed=3, infinite=True), SeededSampler(range(7), seed=3, infinite=True)
    part.skip = skip
    expected = list(islice(whole, skip, skip + 30))
    got = list(islice(part, 30))
    assert got == expected
    assert [draw.seed for draw in got] == [draw.seed for draw in expected]
    epochs = SeededSampler(range(7), seed=3)
    epochs.set_epoch(1)
    assert list(islice(whole, 7, 14)) == list(epochs)


def test_ranks_share_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    def sampler(rank: int, size: int) -> SeededSampler:
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, size))
        return SeededSampler(range(6), seed=0)

    alone = [(int(draw), draw.seed) for draw in sampler(0, 1)]
    first, second = ([(int(draw), draw.seed) for draw in sampler(rank, 2)] for rank in (0, 1))
    assert alone[::2] == first
    assert alone[1::2] == second


def test_infinite_needs_equal_ranks() -> None:
    with pytest.raises(ValueError, match='round_up=True'):
        SeededSampler(range(6), seed=0, round_up=False, infinite=True)


def test_dataset_follows_the_seed_and_leaves_the_outer_numbers_alone() -> None:
    dataset = SeededDataset(Noise())
    outer = np.random.get_state()[1].copy(), torch.get_rng_state()
    one, same, other = dataset[SeededIndex(2, 5)], dataset[SeededIndex(2, 5)], dataset[SeededIndex(2, 6)]
    assert one == same
    assert one[1:3] != other[1:3]
    assert one[3] is int
    assert (np.random.get_state()[1] == outer[0]).all() and torch.equal(torch.get_rng_state(), outer[1])


def test_options_go_to_the_innermost_data_set() -> None:
    """As mmdet3d's scripts set them on the outermost one."""

    class Wrapped:
        def __init__(self, **config: Any) -> None:
            self.config = config

    leaf = dict(type=Wrapped, pipeline=['a'], ann_file='x')
    both = dict(type=Wrapped, dataset=dict(type=Wrapped, datasets=[leaf, leaf]))
    built = SeededDataset(both, pipeline=['b'], indices=1)
    changed = dict(type=Wrapped, pipeline=['b'], ann_file='x', indices=1)
    assert built.config == dict(dataset=dict(type=Wrapped, datasets=[changed, changed]))
    assert leaf['pipeline'] == ['a'] and SeededDataset(leaf).config == dict(pipeline=['a'], ann_file='x')
    with pytest.raises(TypeError, match='SeededDataset sets pipeline in a config, found a Noise'):
        SeededDataset(Noise(), pipeline=[])


def test_dataset_without_seed_and_its_attributes() -> None:
    dataset = SeededDataset(Noise())
    assert dataset[1][1] != dataset[1][1]
    assert dataset.metainfo == dict(classes=['car']) and len(dataset) == 5
    assert not hasattr(dataset, 'full_init')
    assert pickle.loads(pickle.dumps(dataset)).metainfo == dataset.metainfo
    assert draws.DATASETS.get('SeededDataset') is SeededDataset
