"""One keyframe in place of a config's data, for full_size.py and overfit_keyframe.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from browse_dataset import innermost

if TYPE_CHECKING:
    from mmengine.config import Config


def use_keyframe(cfg: Config, folder: str | Path, ann_file: str | Path) -> None:
    """Point all data sets of a config at a folder with one keyframe.

    Args:
        cfg: Config with ``train_dataloader``, ``val_dataloader`` and ``test_dataloader``; changed in place.
        folder: Folder that holds the images and the LiDAR file side by side.
        ann_file: Information file, see :func:`bevdistill.datasets.infos.write_keyframe_infos`.
    """
    from bevdistill.datasets.sequence_dataset import DEFAULT_PREFIX

    place: dict[str, Any] = dict(
        data_root=f'{Path(folder).absolute()}/',
        ann_file=str(Path(ann_file).absolute()),
        data_prefix=dict.fromkeys(DEFAULT_PREFIX, ''),
    )
    for split in ('train', 'val', 'test'):
        innermost(cfg[f'{split}_dataloader'].dataset).update(place)


def set_image_scale(cfg: Config, scale: float) -> None:
    """Resize the images of all data sets of a config by a factor."""
    for split in ('train', 'val', 'test'):
        pipeline = innermost(cfg[f'{split}_dataloader'].dataset).pipeline
        pipeline.images.transforms.resize.update(scale=scale)


def drop_pretrained(config: Any) -> None:
    """Take out every ``init_cfg`` that reads a file, so that a model starts from random weights."""
    if isinstance(config, dict):
        if isinstance(config.get('init_cfg'), dict) and config['init_cfg'].get('type') == 'Pretrained':
            config['init_cfg'] = None
        for value in config.values():
            drop_pretrained(value)
