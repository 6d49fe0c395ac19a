"""Sample labelled and unlabelled frames in a fixed ratio."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import numpy as np
from mmdet3d.registry import DATA_SAMPLERS
from numpy.typing import NDArray

from ..structures import register_old_name
from .seeded_index import SeededIndex, SeededSampler
from .seeding import derive_seed


@DATA_SAMPLERS.register_module()
class LabelledRatioSampler(SeededSampler):
    """Draw a fixed number of labelled and of unlabelled frames per batch.

    The draws of a rank repeat a pattern: `labelled` labelled frames, then `unlabelled` unlabelled ones, so that a batch
    of a multiple of that size holds a multiple of both. With one sample per rank, ranks start at different positions of
    the pattern, so that each step holds the ratio over all ranks and no rank sees one kind alone.

    Labelled and unlabelled frames have permutations of their own, drawn one after the other without end: every frame of
    a kind is seen once before one is seen again, whatever their numbers. Ranks take turns in both, so that none sees
    what another has. An epoch, for loops that count epochs, has as many draws as the data set has frames, rounded up to
    whole patterns on each rank.

    Draws carry seeds, and a resumed run continues in place, as with :class:`~.seeded_index.SeededSampler`.

    Note:
        mmdet's ``MultiSourceSampler(source_ratio=...)`` fixes the ratio within one rank's batch only, so never with one
        sample per rank, and has neither seeds per draw nor a position to resume from.

    Args:
        dataset: A data set with ``is_labelled``, (frames,) bool, such as
            :class:`~bevdistill.datasets.PartlyLabelledDataset`, possibly in a ``SeededDataset``.
        labelled: Labelled frames of a pattern.
        unlabelled: Unlabelled frames of a pattern.
        seed: Seed, equal on all ranks; the runner passes its own.
        infinite: See :class:`~.seeded_index.SeededSampler`.

    Raises:
        TypeError: If the data set does not say which frames are labelled.
        ValueError: If a number is negative or both are 0, or there is no frame of a kind that is asked for.
    """

    def __init__(
        self,
        dataset: Sized,
        labelled: int = 1,
        unlabelled: int = 1,
        seed: int | None = None,
        infinite: bool = False,
    ) -> None:
        super().__init__(dataset, seed=seed, infinite=infinite)
        flags = getattr(dataset, 'is_labelled', None)
        if flags is None:
            raise TypeError(
                'LabelledRatioSampler needs a data set with is_labelled, and this one has none; put a '
                'PartlyLabelledDataset directly inside SeededDataset'
            )
        if labelled < 0 or unlabelled < 0 or labelled + unlabelled < 1:
            raise ValueError(f'a pattern of {labelled} labelled and {unlabelled} unlabelled frames is not possible')
        self.counts = {True: labelled, False: unlabelled}
        self.frames: dict[bool, NDArray[np.int64]] = {
            kind: np.flatnonzero(np.asarray(flags) == kind) for kind in (True, False)
        }
        for kind, name in ((True, 'labelled'), (False, 'unlabelled')):
            if self.counts[kind] and not len(self.frames[kind]):
                raise ValueError(f'LabelledRatioSampler({name}={self.counts[kind]}): the data set has no {name} frame')
        share = -(-len(dataset) // self.world_size)
        self.num_samples = -(-share // self.period) * self.period
        self.total_size = self.num_samples * self.world_size
        self._orders: dict[bool, tuple[int, NDArray[np.int64]]] = {}

    @property
    def period(self) -> int:
        """Return the number of frames of a pattern."""
        return sum(self.counts.values())

    def check_batch_size(self, batch_size: int) -> None:
        """Check that every step holds the same ratio.

        Args:
            batch_size: Frames in a batch of one rank.

        Raises:
            ValueError: If it does not.
        """
        per_step = batch_size if batch_size > 1 else self.world_size
        if per_step % self.period:
            raise ValueError(
                f'batches of {batch_size} on {self.world_size} ranks cannot all hold {self.counts[True]} labelled and '
                f'{self.counts[False]} unlabelled frames; make batch_size a multiple of {self.period}, or train with '
                f'batch_size=1 on a multiple of {self.period} ranks'
            )

    def _draws_of_epoch(self, epoch: int) -> Iterator[SeededIndex]:
        self.epoch = epoch
        for draw in range(epoch * self.num_samples, (epoch + 1) * self.num_samples):
            place = draw + self.rank
            kind = place % self.period < self.counts[True]
            turn = self._number_before(place, kind) - self._number_before(self.rank, kind)
            number = turn * self.world_size + self.rank
            yield SeededIndex(self._frame(kind, number), derive_seed(self.seed, draw * self.world_size + self.rank))

    def _number_before(self, place: int, kind: bool) -> int:
        """Count the draws of a kind before a position of the repeated pattern."""
        whole, rest = divmod(place, self.period)
        labelled = whole * self.counts[True] + min(rest, self.counts[True])
        return labelled if kind else place - labelled

    def _frame(self, kind: bool, number: int) -> int:
        """Return the frame of draw `number` of its kind, counted over all ranks."""
        frames = self.frames[kind]
        walk, place = divmod(number, len(frames))
        if self._orders.get(kind, (-1,))[0] != walk:
            random = np.random.default_rng(derive_seed(self.seed, int(kind), walk))
            self._orders[kind] = walk, random.permutation(frames)
        return int(self._orders[kind][1][place])


register_old_name(DATA_SAMPLERS, 'MixedSampler', LabelledRatioSampler)
