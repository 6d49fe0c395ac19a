"""Every step holds so many labelled and unlabelled frames; ranks share them; a resumed run goes on in its place."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from mmdet3d.registry import DATA_SAMPLERS

from bevdistill.datasets import LabelledRatioSampler, SeededDataset


class Frames:
    """Ten frames, three of them labelled."""

    metainfo = dict(classes=['car'])
    is_labelled = np.array([False, True, False, False, True, True, False, False, False, False])

    def __len__(self) -> int:
        return len(self.is_labelled)

    def __getitem__(self, index: int) -> int:
        return index


FLAGS = Frames.is_labelled.tolist()


@pytest.fixture
def sampler_of(monkeypatch: pytest.MonkeyPatch):
    def make(
        rank: int = 0, world: int = 1, seed: int = 3, infinite: bool = True, **counts: int
    ) -> LabelledRatioSampler:
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world))
        return LabelledRatioSampler(SeededDataset(Frames()), seed=seed, infinite=infinite, **counts)

    return make


def batches(sampler: LabelledRatioSampler, size: int, number: int) -> list[list[int]]:
    draws = iter(sampler)
    return [list(islice(draws, size)) for _ in range(number)]


@pytest.mark.parametrize('world', [1, 2, 3])
@pytest.mark.parametrize(('labelled', 'unlabelled', 'size'), [(2, 2, 4), (1, 1, 4), (1, 3, 4), (0, 2, 2), (2, 1, 3)])
def test_numbers_of_each_batch_of_each_rank(sampler_of, world: int, labelled: int, unlabelled: int, size: int) -> None:
    for rank in range(world):
        sampler = sampler_of(rank, world, labelled=labelled, unlabelled=unlabelled)
        sampler.check_batch_size(size)
        for batch in batches(sampler, size, 20):
            assert sum(FLAGS[draw] for draw in batch) == size * labelled // (labelled + unlabelled)


@pytest.mark.parametrize(('world', 'labelled', 'unlabelled'), [(2, 1, 1), (8, 1, 1), (8, 1, 3), (3, 2, 1)])
def test_one_sample_per_rank(sampler_of, world: int, labelled: int, unlabelled: int) -> None:
    """All ranks together hold the mixture in each step, and no rank sees one kind alone."""
    ranks = []
    for rank in range(world):
        sampler = sampler_of(rank, world, labelled=labelled, unlabelled=unlabelled)
        sampler.check_batch_size(1)
        ranks.append([FLAGS[draw] for draw in islice(sampler, 24)])
    for step in zip(*ranks, strict=True):
        assert sum(step) == world * labelled // (labelled + unlabelled)
    assert all(sum(rank) == 24 * labelled // (labelled + unlabelled) for rank in ranks)


@pytest.mark.parametrize('world', [1, 2, 4])
def test_each_kind_is_walked_whole_and_ranks_do_not_repeat_one_another(sampler_of, world: int) -> None:
    """In any number of steps no frame of a kind is drawn two times more often than another."""
    ranks = [list(islice(sampler_of(rank, world, labelled=2, unlabelled=2), 84)) for rank in range(world)]
    for steps in (4, 12, 84):
        drawn = Counter(int(draw) for rank in ranks for draw in rank[:steps])
        for kind in (True, False):
            counts = [drawn[frame] for frame, flag in enumerate(FLAGS) if flag == kind]
            assert max(counts) - min(counts) <= 1, (steps, kind, counts)
    seeds = [draw.seed for rank in ranks for draw in rank]
    assert len(set(seeds)) == len(seeds)


def test_seeds_and_orders(sampler_of) -> None:
    def drawn(seed: int) -> list[int]:
        return list(islice(sampler_of(seed=seed), 40))

    assert drawn(3) == drawn(3) != drawn(4)
    labelled = [frame for frame in drawn(3) if FLAGS[frame]]
    assert len({tuple(labelled[start : start + 3]) for start in range(0, 18, 3)}) > 1, 'walks differ in order'


@pytest.mark.parametrize('skip', [0, 4, 8, 12, 52])
@pytest.mark.parametrize('rank', [0, 1])
def test_goes_on_where_it_was(sampler_of, skip: int, rank: int) -> None:
    whole, part = (sampler_of(rank, 2, labelled=2, unlabelled=2) for _ in range(2))
    part.skip = skip
    expected, got = list(islice(whole, skip, skip + 40)), list(islice(part, 40))
    assert got == expected
    assert [draw.seed for draw in got] == [draw.seed for draw in expected]


def test_epochs_end_and_continue_one_another(sampler_of) -> None:
    epochs, endless = sampler_of(infinite=False, labelled=1, unlabelled=2), sampler_of(labelled=1, unlabelled=2)
    assert len(epochs) == 12, 'ten frames, rounded up to whole patterns'
    drawn = []
    for epoch in range(3):
        epochs.set_epoch(epoch)
        drawn += list(epochs)
    assert drawn == list(islice(endless, 36))


def test_a_batch_that_cannot_hold_the_mixture_is_refused(sampler_of) -> None:
    with pytest.raises(ValueError, match='batches of 3 on 1 ranks cannot all hold 2 labelled and 2 unlabelled frames'):
        sampler_of(labelled=2, unlabelled=2).check_batch_size(3)
    with pytest.raises(ValueError, match='multiple of 2 ranks'):
        sampler_of().check_batch_size(1)


def test_what_it_needs(sampler_of, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match='needs a data set with is_labelled'):
        LabelledRatioSampler(range(4), seed=0)
    with pytest.raises(ValueError, match='a pattern of 0 labelled and 0 unlabelled'):
        sampler_of(labelled=0, unlabelled=0)
    monkeypatch.setattr(Frames, 'is_labelled', np.ones(10, dtype=bool))
    with pytest.raises(ValueError, match=r'LabelledRatioSampler\(unlabelled=1\): the data set has no unlabelled frame'):
        sampler_of()


def test_configs_with_the_earlier_name_still_work() -> None:
    built = DATA_SAMPLERS.build(dict(type='MixedSampler', dataset=SeededDataset(Frames()), labelled=2, seed=3))
    assert type(built) is LabelledRatioSampler and built.counts == {True: 2, False: 1}
    assert DATA_SAMPLERS.get('LabelledRatioSampler') is LabelledRatioSampler
