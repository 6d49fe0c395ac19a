"""Data sets of the base configs on other roots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet3d.registry import DATASETS
from mmengine.config import Config

from bevdistill.datasets import SequenceNuScenesDataset

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets'


def build(root: Path, split: str = 'train', kind: str = 'nus-3d', **overrides: Any) -> SequenceNuScenesDataset:
    """The data set of a base config, on another root."""
    config = Config.fromfile(CONFIGS / f'{kind}.py')
    dataset = config[f'{split}_dataloader']['dataset']
    dataset = dataset.get('dataset', dataset)
    dataset.update(data_root=str(root), ann_file='infos.msgpack.gz', **overrides)
    built = DATASETS.build(dataset)
    assert isinstance(built, SequenceNuScenesDataset)
    return built
