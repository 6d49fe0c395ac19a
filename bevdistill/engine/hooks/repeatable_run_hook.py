"""Make a stopped and resumed run equal to an uninterrupted one, bit for bit."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from ...datasets.labelled_ratio_sampler import LabelledRatioSampler
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

        mmengine's loop calls ``next`` on its iterator once per finished iteration and drops the batch; no hook,
        sampler or option of the loop prevents the loading. So its public ``dataloader_iterator`` yields None for these
        calls, and the sampler starts behind them.

        Raises:
            ValueError: If a :class:`~bevdistill.datasets.LabelledRatioSampler` cannot mix batches of this size.
        """
        loop = runner.train_loop
        if isinstance(loop.dataloader.sampler, LabelledRatioSampler):
            loop.dataloader.sampler.check_batch_size(loop.dataloader.batch_size)
        if not isinstance(loop, IterBasedTrainLoop) or loop.iter == 0:
            return
        sampler = loop.dataloader.sampler
        if isinstance(sampler, SeededSampler) and sampler.infinite:
            sampler.skip = loop.iter * loop.dataloader.batch_size
            loop.dataloader_iterator = chain(repeat(None, loop.iter), loop.dataloader)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what is drawn while the epoch's data loader starts."""
        seed_everything(derive_seed(runner.seed, get_rank(), runner.iter, _EPOCH))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the iteration."""
        seed_everything(derive_seed(runner.seed, get_rank(), runner.iter, _STEP))
