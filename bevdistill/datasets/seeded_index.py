"""Seed augmentation per draw, so that it does not depend on the worker that loads the sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

from mmdet3d.registry import DATA_SAMPLERS, DATASETS
from mmengine.dataset import DefaultSampler

from .seeding import derive_seed, seeded


class SeededIndex(int):
    """A dataset index with the seed of this draw of the sample."""

    seed: int

    def __new__(cls, index: int, seed: int) -> SeededIndex:
        """Make an index with its seed."""
        draw = super().__new__(cls, index)
        draw.seed = seed
        return draw

    def __reduce__(self) -> tuple[type[SeededIndex], tuple[int, int]]:
        return type(self), (int(self), self.seed)


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """mmengine's default sampler with a seed per draw on its indices.

    The order is that of ``DefaultSampler``: a permutation per epoch, from ``seed + epoch``. Draw number ``n`` of
    the run, counted over all ranks, gets the seed ``derive_seed(seed, n)``; with :class:`SeededDataset` a run then
    sees the same augmented samples for any number of workers, and after a resume.

    Args:
        dataset: The dataset.
        shuffle: Whether to shuffle.
        seed: Seed, equal on all ranks; the runner passes its own.
        round_up: Whether to repeat samples so that all ranks get equally many.
        infinite: Continue with the next epoch without end, for iteration-based loops. ``RepeatableRunHook`` then
            resumes a run in place without loading what was seen.

    Raises:
        ValueError: If ``infinite`` is asked for without ``round_up``.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        round_up: bool = True,
        infinite: bool = False,
    ) -> None:
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        if infinite and not round_up:
            raise ValueError('an infinite sampler needs round_up=True, or the ranks drift apart')
        self.infinite = infinite
        self.skip = 0

    def __iter__(self) -> Iterator[int]:
        if not self.infinite:
            yield from self._draws_of_epoch(self.epoch)
            return
        epoch, seen = divmod(self.skip, self.num_samples)
        while True:
            yield from islice(self._draws_of_epoch(epoch), seen, None)
            epoch, seen = epoch + 1, 0

    def _draws_of_epoch(self, epoch: int) -> Iterator[SeededIndex]:
        self.epoch = epoch
        first = epoch * self.total_size + self.rank
        for count, index in enumerate(super().__iter__()):
            yield SeededIndex(index, derive_seed(self.seed, first + count * self.world_size))


@DATASETS.register_module()
class SeededDataset:
    """A dataset whose random transforms follow the seed that :class:`SeededSampler` puts on the index.

    An index without a seed is passed through, so validation and tools see the plain dataset. Everything else
    (``metainfo``, ``get_data_info``, ...) is the wrapped dataset's.

    Note:
        mmengine seeds a worker once. With persistent workers a resumed run therefore cannot repeat the
        augmentation of an uninterrupted one, and without them every epoch starts from the same random numbers.

    Args:
        dataset: The dataset or its config.
        pipeline: Of the innermost data set, in place of that in its config. mmdet3d's scripts set this and the next on
            the outermost one.
        filter_empty_gt: Of the innermost data set, as before.
        indices: Of the innermost data set, as before: so many samples, or a list of them.

    Raises:
        TypeError: If an option is given and the dataset is no config.
    """

    def __init__(
        self,
        dataset: Any,
        pipeline: Any = None,
        filter_empty_gt: bool | None = None,
        indices: int | Sequence[int] | None = None,
    ) -> None:
        given = dict(pipeline=pipeline, filter_empty_gt=filter_empty_gt, indices=indices)
        options = {name: value for name, value in given.items() if value is not None}
        if options and not isinstance(dataset, dict):
            raise TypeError(f'SeededDataset sets {", ".join(options)} in a config, found a {type(dataset).__name__}')
        config = with_options(dataset, options) if options else dataset
        self.dataset = DATASETS.build(config) if isinstance(config, dict) else config

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        seed = getattr(index, 'seed', None)
        if seed is None:
            return self.dataset[index]
        with seeded(seed):
            return self.dataset[int(index)]

    def __getattr__(self, name: str) -> Any:
        # Called only for names that this object lacks; 'dataset' is missing during unpickling.
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)


def with_options(dataset: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Set options in the config of the data set that wrappers hold, in all of those that are put one after another."""
    if 'dataset' in dataset:
        return {**dataset, 'dataset': with_options(dataset['dataset'], options)}
    if 'datasets' in dataset:
        return {**dataset, 'datasets': [with_options(part, options) for part in dataset['datasets']]}
    return {**dataset, **options}
