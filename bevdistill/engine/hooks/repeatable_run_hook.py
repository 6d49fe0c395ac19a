"""A run that was stopped and resumed equals one that was not."""

from __future__ import annotations

from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ...datasets.labelled_ratio_sampler import MixedSampler
from ...datasets.seeded_index import SeededSampler
from ...datasets.seeding import derive_seed, seed_everything

_STEP, _EPOCH = 0, 1


@HOOKS.register_module()
class RepeatableRunHook(Hook):
    """Make the random numbers of an iteration depend on (seed, rank, iteration) only.

    Then no state of a generator has to be saved on any rank, and nothing that draws in between (validation, a
    picture, another number of workers) changes the training. Each rank draws its own numbers.

    Data is repeated bit for bit with ``SeededSampler`` and ``SeededDataset``. With an infinite ``SeededSampler`` a
    resumed iteration-based loop continues at its place without loading the samples before it.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Move the data of a resumed iteration-based run to its place.

        Raises:
            ValueError: If a :class:`~..mixed_draws.MixedSampler` cannot mix batches of this size.
        """
        loop = runner.train_loop
        if isinstance(loop.dataloader.sampler, MixedSampler):
            loop.dataloader.sampler.check_batch_size(loop.dataloader.batch_size)
        if not isinstance(loop, IterBasedTrainLoop) or loop.iter == 0:
            return
        sampler = loop.dataloader.sampler
        if isinstance(sampler, SeededSampler) and sampler.infinite:
            sampler.skip = loop.iter * loop.dataloader.batch_size
            loop.dataloader_iterator = _SkippedLoader(loop.dataloader, loop.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what is drawn while the epoch's data loader starts."""
        seed_everything(derive_seed(runner.seed, get_rank(), runner.iter, _EPOCH))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the iteration."""
        seed_everything(derive_seed(runner.seed, get_rank(), runner.iter, _STEP))


class _SkippedLoader:
    """A data iterator that has nothing to load for the first steps.

    mmengine's loop calls ``next`` once per iteration that a resumed run has behind it and drops the result. The
    sampler starts after these, so the calls are answered without work.
    """

    def __init__(self, loader: DataLoader[Any], steps: int) -> None:
        self._iterator = iter(loader)
        self._steps = steps

    def __iter__(self) -> _SkippedLoader:
        return self

    def __next__(self) -> Any:
        if self._steps > 0:
            self._steps -= 1
            return None
        return next(self._iterator)
