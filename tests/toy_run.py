"""A detector, a dataset and a metric of a few numbers, which train in milliseconds through the real configs."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import mmengine.runner.runner
import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from bevdistill.structures import BEVGrid

REPO = Path(__file__).resolve().parents[1]
RANGE = [-51.2, -51.2, -5.0, 51.2, 51.2, 3.0]

CONFIG = """
_base_ = ['{base}/default_runtime.py', '{base}/schedules/cosine-24e.py']
custom_imports = dict(imports=['bevdistill', 'toy_run'], allow_failed_imports=False)
data_root = 'data/toy/'
model = dict(type='ToyDetector', num_classes=2, point_cloud_range={limits})
train_dataloader = dict(
    batch_size=2, num_workers={workers}, persistent_workers={workers} > 0,
    sampler=dict(type='SeededSampler', shuffle=True, infinite={by_iter}),
    dataset=dict(type='SeededDataset', dataset=dict(
        type='ToyDataset', size=8, noise=0.5, ann_file=data_root + 'infos.pkl',
        metainfo=dict(classes=['car', 'truck']))))
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ToyDataset', size=4, noise=0.0, metainfo=dict(classes=['car', 'truck'])))
test_dataloader = val_dataloader
val_evaluator = dict(type='ToyMetric')
test_evaluator = val_evaluator
_base_.param_scheduler[0].end = 3
_base_.param_scheduler[1].convert_to_iter_based = True
default_hooks = dict(logger=dict(interval=2))
"""
_COUNT = count()
BY_EPOCH = 'train_cfg = dict(max_epochs=4, val_interval=1)\n'
BY_ITER = """
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=12, val_interval=5)
default_hooks = dict(logger=dict(interval=2), checkpoint=dict(interval=6, by_epoch=False))
_base_.param_scheduler[1].update(by_epoch=False, convert_to_iter_based=False)
log_processor = dict(by_epoch=False)
"""


@DATASETS.register_module()
class ToyDataset:
    """Numbers with noise from numpy, as augmentation makes it; each has a token."""

    def __init__(self, size: int, noise: float, metainfo: dict[str, Any], ann_file: str = '') -> None:
        self.size, self.noise, self.metainfo = size, noise, dict(metainfo)
        self.loaded: list[int] = []

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        self.loaded.append(int(index))
        features = np.random.RandomState(index).randn(3) + self.noise * np.random.randn(3)
        sample = BaseDataElement(metainfo=dict(token=f'token{index}', sample_idx=int(index)))
        return dict(inputs=torch.tensor(features, dtype=torch.float32), data_samples=sample)


@MODELS.register_module()
class ToyDetector(BaseModel):
    """Dropout, batch norm and a linear layer; ``break_at`` makes one loss term NaN from that forward pass on."""

    def __init__(
        self, num_classes: int, point_cloud_range: list[float], break_at: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.grid = BEVGrid.from_config(point_cloud_range, 4, 4)
        self.img_backbone = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(4, num_classes))
        self.break_at, self.passes = break_at, 0

    def forward(self, inputs: list[Tensor], data_samples: list[Any], mode: str = 'tensor') -> Any:
        logits = self.head(self.norm(self.img_backbone(torch.stack(list(inputs)))))
        if mode == 'predict':
            for sample, logit in zip(data_samples, logits, strict=True):
                sample.set_field(logit, 'logits')
            return data_samples
        self.passes += 1
        nan = torch.nan if self.break_at is not None and self.passes >= self.break_at else 1.0
        return dict(loss_cls=logits.square().mean(), loss_bbox=nan * logits.abs().mean(), accuracy=logits.mean())


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Mean of the logits. Draws a random number, as a careless metric might."""

    default_prefix = 'toy'

    def process(self, data_batch: Any, data_samples: list[Any]) -> None:
        np.random.rand()
        torch.rand(3)
        self.results.extend(float(sample['logits'].mean()) for sample in data_samples)

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(mean=float(np.mean(results)))


def write_config(folder: Path, by_iter: bool = False, workers: int = 0, extra: str = '') -> Path:
    """A config file that inherits the shipped runtime and schedule."""
    text = CONFIG.format(base=REPO / 'configs/_base_', limits=RANGE, workers=workers, by_iter=by_iter)
    file = folder / ('toy_iter.py' if by_iter else 'toy_epoch.py')
    # Runs in one process need names of their own: mmengine keeps a logger and a message hub per name.
    name = f"experiment_name = 'toy{next(_COUNT)}'\n"
    file.write_text(text + (BY_ITER if by_iter else BY_EPOCH) + name + extra)
    return file


def toy_config(folder: Path, by_iter: bool = False, workers: int = 0, **changes: Any) -> Config:
    cfg = Config.fromfile(str(write_config(folder, by_iter, workers)))
    cfg.work_dir = str(folder / 'run')
    cfg.merge_from_dict(changes)
    return cfg


def train(cfg: Config, *hooks: Hook) -> Runner:
    runner = build(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def build(cfg: Config) -> Runner:
    cfg.experiment_name = f'toy{next(_COUNT)}'
    return Runner.from_cfg(cfg)


@pytest.fixture(autouse=True)
def quick_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out mmengine's slow extras, none of which is under test; for the conftest of rooms with toy runs."""
    # Asking compilers for their version, and formatting the config at each checkpoint, cost half a second each.
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: repr(cfg.to_dict())))
