"""Keep the labels of some scenes of a data set and drop all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from mmdet3d.registry import DATASETS
from mmengine.logging import print_log
from numpy.typing import NDArray

from ..for_people import counted
from ..structures import LABELLED

KEEP = ('all', 'labelled')


@DATASETS.register_module()
class PartlyLabelledDataset:
    """Some whole scenes of a data set keep their labels; all other frames lose them.

    The metainfo of each data sample has ``labelled``. The labels of an unlabelled frame are dropped before its pipeline
    runs, and its data sample has no ``gt_instances_3d``, so that a model that reads them fails. Unlabelled frames
    without objects are not filtered out (that would use their labels), and a labelled frame that is filtered out is
    replaced by another labelled one.

    Labelled frames come first. The labelled scenes depend on `seed` and the tokens of the scenes alone, not on the
    order of the file, and for one seed fewer scenes are a subset of more. They are named in the log.

    ::

        dataset=dict(type='PartlyLabelledDataset', labelled=0.125, dataset=dict(type='SequenceNuScenesDataset', ...)),

    Args:
        dataset: Config of a data set such as :class:`~.sequence_dataset.SequenceNuScenesDataset`, in training mode.
        labelled: Which of its scenes have labels: a number of scenes, a share of them in (0, 1] as a float, a list of
            scene tokens, or None for all.
        seed: Of the choice.
        keep: ``'all'`` frames, or ``'labelled'`` ones alone, for what is trained on the same labels without the rest: a
            baseline, or a teacher.
        unlabelled: Config of a second data set, whose frames are all unlabelled: drives that were never annotated, or
            nuScenes' test split. It differs in its information file, say, and has the same classes.

    Raises:
        ValueError: If an option is out of range, a scene token is unknown, or the classes of the two differ.
        TypeError: If the data set cannot say which frame belongs to which scene.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any] | Any,
        labelled: int | float | Sequence[str] | None = None,
        seed: int = 0,
        keep: str = 'all',
        unlabelled: Mapping[str, Any] | Any = None,
    ) -> None:
        if keep not in KEEP:
            raise ValueError(f"keep must be 'all' or 'labelled', got {keep!r}")
        base = _build(dataset)
        keys = getattr(base, 'frame_keys', None)
        if keys is None:
            raise TypeError(
                f'PartlyLabelledDataset needs a data set with frame_keys(), {type(base).__name__} has none; '
                'use SequenceNuScenesDataset'
            )
        scenes = [scene for scene, _ in keys()]
        chosen = choose_scenes(scenes, labelled, seed)
        inside = np.isin(scenes, chosen)
        # Copies, cut in place: mmengine's get_subset lets all subsets of a data set share one pipeline.
        parts = [(deepcopy(base), np.flatnonzero(inside), True)]
        if keep == 'all':
            parts.append((base, np.flatnonzero(~inside), False))
        self._metainfo = base.metainfo
        self.parts: list[Any] = []
        flags: list[NDArray[np.bool_]] = []
        for part, indices, has_labels in parts:
            part.get_subset_(indices.tolist())
            self._add(part, has_labels, flags)
        if keep == 'all' and unlabelled is not None:
            other = _build(unlabelled)
            if list(other.metainfo['classes']) != list(self._metainfo['classes']):
                raise ValueError(
                    f'the labelled data have the classes {list(self._metainfo["classes"])}, the unlabelled '
                    f'{list(other.metainfo["classes"])}; give both the same metainfo'
                )
            self._add(other, False, flags)
        self.is_labelled: NDArray[np.bool_] = np.concatenate(flags)
        self._starts = np.cumsum([0, *map(len, flags)])
        print_log(
            f'labels: {len(chosen)} of {len(set(scenes))} scenes, {int(self.is_labelled.sum())} frames labelled and '
            f'{int((~self.is_labelled).sum())} unlabelled; seed {seed}; labelled scenes: {" ".join(chosen)}',
            logger='current',
        )

    def _add(self, part: Any, has_labels: bool, flags: list[NDArray[np.bool_]]) -> None:
        if not has_labels:
            part.filter_empty_gt = False
            part.pipeline.transforms.insert(0, forget_labels)
        self.parts.append(part)
        flags.append(np.full(len(part), has_labels))

    @property
    def metainfo(self) -> dict[str, Any]:
        """Return the meta information of the data set."""
        return deepcopy(self._metainfo)

    def full_init(self) -> None:
        """Do nothing, the files are read; mmengine's wrappers call it."""

    def __len__(self) -> int:
        return len(self.is_labelled)

    def __getitem__(self, index: int) -> dict[str, Any]:
        part, place = self._locate(index)
        has_labels = bool(self.is_labelled[index])
        item: dict[str, Any] = self.parts[part][place]
        sample = item['data_samples']
        sample.set_metainfo({LABELLED: has_labels})
        if not has_labels:
            del sample.gt_instances_3d
        return item

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return the record of a frame, without boxes if it is unlabelled."""
        part, place = self._locate(index)
        info: dict[str, Any] = self.parts[part].get_data_info(place)
        return info if self.is_labelled[index] else forget_labels(info)

    def get_cat_ids(self, index: int) -> set[int]:
        """Return the labels of the objects in a frame, none if unlabelled; for wrappers that balance classes."""
        return set(self.get_data_info(index)['ann_info']['gt_labels_3d'].tolist())

    def frame_keys(self) -> list[tuple[str, int]]:
        """Return scene token and index in its scene of every frame."""
        return [key for part in self.parts for key in part.frame_keys()]

    def _locate(self, index: int) -> tuple[int, int]:
        """Find the part that holds a frame, and its index there."""
        if not 0 <= index < len(self):
            raise IndexError(f'index {index} of {counted(len(self), "frame")}')
        part = int(np.searchsorted(self._starts, index, side='right')) - 1
        return part, int(index - self._starts[part])


def choose_scenes(
    scenes: Sequence[str], labelled: int | float | Sequence[str] | None, seed: int
) -> list[str]:
    """Choose the scenes that keep their labels; return their tokens, sorted.

    Args:
        scenes: Scene token of each frame.
        labelled: A number, a share as a float, tokens, or None for all.
        seed: Of the choice.

    Raises:
        ValueError: If it is out of range or a token is unknown.
    """
    present = sorted(set(scenes))
    if labelled is None:
        return present
    if isinstance(labelled, int | float):
        share = isinstance(labelled, float)
        count = round(labelled * len(present)) if share else int(labelled)
        if isinstance(labelled, bool) or not 1 <= count <= len(present):
            raise ValueError(
                f'labelled={labelled!r} of {len(present)} scenes would be {count}; give a number of scenes from 1 to '
                f'{len(present)}, a share as a float in (0, 1], scene tokens, or None for all'
            )
        return sorted(np.random.default_rng(seed).permutation(present)[:count].tolist())
    if isinstance(labelled, str):
        raise ValueError(f'labelled must be a number, a share or a list of scene tokens, got the text {labelled!r}')
    unknown = sorted(set(labelled) - set(present))
    if unknown or not labelled:
        raise ValueError(
            f'labelled names {counted(len(unknown), "scene")} that the data set lacks, {unknown[0]} for one'
            if unknown
            else 'labelled is an empty list of scene tokens; a labelled scene is needed'
        )
    return sorted(set(labelled))


def forget_labels(info: dict[str, Any]) -> dict[str, Any]:
    """Empty the annotations of a record, in place."""
    info['ann_info'] = {key: value[:0] for key, value in info['ann_info'].items()}
    return info


def _build(dataset: Mapping[str, Any] | Any) -> Any:
    """Build a data set and read its file."""
    built = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
    built.full_init()
    return built
