"""Make a stopped and resumed run equal to an uninterrupted one, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, repeat
from typing import Any

from mmdet3d.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from ...datasets.labelled_ratio_sampler import LabelledRatioSampler
from ...datasets.seeded_index import SeededSampler
from ...datasets.seeding import derive_seed, seed_everything

_STEP, _EPOCH = 0, 1
DONE_OF_EPOCH = 'done_of_epoch'
"""Entry of a checkpoint: finished iterations of the epoch in which its run was stopped, of a loop by epochs."""


@HOOKS.register_module()
class RepeatableRunHook(Hook):
    """Make the random numbers of an iteration depend on (seed, rank, iteration) only.

    Then no state of a generator has to be saved on any rank, and nothing that draws in between (validation, a
    picture, another number of workers) changes the training. Each rank draws its own numbers.

    Data is repeated bit for bit with ``SeededSampler`` and ``SeededDataset``. With an infinite ``SeededSampler`` a
    resumed iteration-based loop continues at its place without loading the samples before it. A loop by epochs that was
    stopped within one continues there with any sampler whose order depends on seed and epoch.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._done_of_epoch = 0

    def before_train(self, runner: Runner) -> None:
        """Move the data of a resumed run to its place.

        mmengine's loop by epochs knows whole epochs only: the samples of finished iterations are taken from the front
        of the epoch's order, once. Its loop by iterations calls ``next`` on its iterator once per finished iteration
        and drops the batch; no hook, sampler or option of the loop prevents the loading. So its public
        ``dataloader_iterator`` yields None for these calls, and the sampler starts behind them.

        Raises:
            ValueError: If a :class:`~bevdistill.datasets.LabelledRatioSampler` cannot mix batches of this size.
        """
        loop = runner.train_loop
        if isinstance(loop.dataloader.sampler, LabelledRatioSampler):
            loop.dataloader.sampler.check_batch_size(loop.dataloader.batch_size)
        self._done_of_epoch = runner.message_hub.runtime_info.get(DONE_OF_EPOCH, 0)
        runner.message_hub.update_info(DONE_OF_EPOCH, 0)
        if self._done_of_epoch:
            batches = loop.dataloader.batch_sampler
            batches.sampler = _WithoutFirst(batches.sampler, self._done_of_epoch * loop.dataloader.batch_size)
        if not isinstance(loop, IterBasedTrainLoop) or loop.iter == 0:
            return
        sampler = loop.dataloader.sampler
        if isinstance(sampler, SeededSampler) and sampler.infinite:
            sampler.skip = loop.iter * loop.dataloader.batch_size
            loop.dataloader_iterator = chain(repeat(None, loop.iter), loop.dataloader)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what is drawn while the epoch's data loader starts."""
        began = runner.iter - self._done_of_epoch
        self._done_of_epoch = 0
        seed_everything(derive_seed(runner.seed, get_rank(), began, _EPOCH))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the iteration."""
        seed_everything(derive_seed(runner.seed, get_rank(), runner.iter, _STEP))


class _WithoutFirst:
    """A sampler that leaves out its first samples when it is first asked for its order."""

    def __init__(self, sampler: Any, count: int) -> None:
        self._sampler, self._count = sampler, count

    def __iter__(self) -> Iterator[Any]:
        count, self._count = self._count, 0
        return islice(self._sampler, count, None)

    def __len__(self) -> int:
        return len(self._sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)
