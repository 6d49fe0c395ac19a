"""Replace the data of a config by one nuScenes keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from bevdistill.datasets.infos.names import DEFAULT_PREFIX
from bevdistill.teacher_cache import leaf_datasets


def datasets_of(cfg: Config) -> Iterator[Any]:
    """Iterate over the innermost data sets of the training, validation and test loaders."""
    for split in ('train', 'val', 'test'):
        yield from leaf_datasets(cfg[f'{split}_dataloader'].dataset)


def use_keyframe(cfg: Config, folder: str | Path, ann_file: str | Path) -> None:
    """Point all data sets of a config at a folder with one keyframe.

    Args:
        cfg: Config with ``train_dataloader``, ``val_dataloader`` and ``test_dataloader``; changed in place.
        folder: Folder that holds the images and the LiDAR file side by side.
        ann_file: Information file, see :func:`bevdistill.datasets.infos.write_keyframe_infos`.
    """
    for dataset in datasets_of(cfg):
        dataset.update(
            data_root=f'{Path(folder).absolute()}/',
            ann_file=str(Path(ann_file).absolute()),
            data_prefix=dict.fromkeys(DEFAULT_PREFIX, ''),
        )


def set_image_scale(cfg: Config, scale: float) -> None:
    """Resize the images of all data sets of a config by a factor."""
    for dataset in datasets_of(cfg):
        dataset.pipeline.images.transforms.resize.update(scale=scale)
