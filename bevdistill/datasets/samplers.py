"""Batch whole scenes in order, for testing models with memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmdet3d.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class SceneBatchSampler(Sampler[list[int]]):
    """Batches of consecutive frames of one scene; each process gets whole scenes.

    Scenes go, in the order of the data set, to the process with the fewest frames so far. Which frames share a batch
    does not depend on the number of processes, so neither do a model's outputs. Nothing is repeated to make the
    processes equally long; a process may have no batch at all.

    It is a batch sampler of mmengine's data loaders::

        val_dataloader = dict(
            batch_size=8,
            sampler=dict(type='DefaultSampler', shuffle=False),  # names the data set; its order is not used
            batch_sampler=dict(type='SceneBatchSampler'), ...)

    Args:
        sampler: A sampler of the data set, unshuffled. The data set has ``frame_keys()``, (scene, running index) of
            each frame, as :class:`~.sequence_dataset.SequenceNuScenesDataset` does.
        batch_size: Frames in a batch at most.

    Raises:
        ValueError: If the batch size is not positive or the sampler shuffles.
        TypeError: If the data set cannot say which frame belongs to which scene.
    """

    def __init__(self, sampler: Any, batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        if getattr(sampler, 'shuffle', False):
            raise ValueError('SceneBatchSampler walks scenes in order; set shuffle=False in the sampler')
        dataset = sampler.dataset
        keys = getattr(dataset, 'frame_keys', None)
        if keys is None:
            raise TypeError(
                f'SceneBatchSampler needs a data set with frame_keys(), {type(dataset).__name__} has none; '
                'use SequenceNuScenesDataset'
            )
        self.sampler = sampler
        self.batch_size = batch_size
        scenes: dict[str, list[tuple[int, int]]] = {}
        for index, (scene, frame) in enumerate(keys()[: len(dataset)]):
            scenes.setdefault(scene, []).append((frame, index))
        self._scenes = [[index for _, index in sorted(frames)] for frames in scenes.values()]

    def __iter__(self) -> Iterator[list[int]]:
        for scene in self._own_scenes():
            for start in range(0, len(scene), self.batch_size):
                yield scene[start : start + self.batch_size]

    def __len__(self) -> int:
        return sum(-(-len(scene) // self.batch_size) for scene in self._own_scenes())

    def _own_scenes(self) -> list[list[int]]:
        """Return the scenes of this process."""
        rank, world_size = get_dist_info()
        frames = [0] * world_size
        own = []
        for scene in self._scenes:
            process = frames.index(min(frames))
            frames[process] += len(scene)
            if process == rank:
                own.append(scene)
        return own
