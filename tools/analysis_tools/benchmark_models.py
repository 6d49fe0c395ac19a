"""Models, data and training steps for benchmark.py: those of a distillation config, with random weights."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_clock import Clock, Run
from full_size_measure import random_teacher
from keyframe_data import drop_pretrained
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

from bevdistill.engine.launch import load_config
from bevdistill.teacher_cache import leaf_datasets
from bevdistill.teacher_cache.follow import follow_teacher_cache
from bevdistill.teacher_cache.writer import CacheWriter

Batch = dict[str, Any]
INFOS = 'nuscenes_infos_train.pkl'


@dataclass(frozen=True)
class Settings:
    """What a part of the benchmark has to know.

    Args:
        clock: Measures.
        repeats: Rounds that count.
        quick: Smallest sizes: everything runs, no figure means anything.
        config: Config of a distillation.
        temporal_config: Config of a distillation with history.
        data_root: Root with images, points and ``nuscenes_infos_train.pkl``.
        folder: Place for files that the benchmark needs only itself.
        step: Called with the share of the part that has been done.
    """

    clock: Clock
    repeats: int
    quick: bool
    config: str
    temporal_config: str
    data_root: Path
    folder: Path
    step: Callable[[float], None]

    @property
    def device(self) -> str:
        """Where models run."""
        return self.clock.device


def make_data(root: Path, quick: bool) -> None:
    """A small data set as those of the demo: the same cameras, LiDAR and world, fewer scenes."""
    from bevdistill.datasets.infos import create_nuscenes_infos
    from bevdistill.synthetic import PRESETS, make_dataset

    scenes = dict(train_scenes=1, val_scenes=1) if quick else dict(train_scenes=4, val_scenes=1)
    preset = replace(PRESETS['demo'], name='demo-short', **scenes)
    make_dataset(root, preset, 'v1.0-trainval', workers=1, progress=False)
    with contextlib.redirect_stderr(io.StringIO()):
        create_nuscenes_infos(root, 'v1.0-trainval')


def set_up(threads: int) -> None:
    """Registries, threads, and no word of builders, who tell how each weight starts in hundreds of lines."""
    init_default_scope('mmdet3d')
    torch.set_num_threads(threads)
    MMLogger.get_instance('benchmark', logger_name='benchmark', log_level='ERROR')
    logging.getLogger('mmengine').setLevel(logging.ERROR)


def prepared(settings: Settings, config: str, with_teacher: bool = True) -> Config:
    """A distillation config on the benchmark's data, with random weights for its teacher.

    Args:
        settings: Data and folder.
        config: File.
        with_teacher: Make weights; a student alone does without.

    Raises:
        ValueError: If it is not the config of a distillation.
    """
    cfg = load_config(config)
    if cfg.model.get('teacher') is None:
        raise ValueError(f'{config} is the config of a {cfg.model.type} alone; name one of a distillation')
    drop_pretrained(cfg.model)
    for leaf in leaf_datasets(cfg.train_dataloader.dataset):
        leaf.data_root = f'{settings.data_root.absolute()}/'
    if with_teacher:
        torch.manual_seed(0)
        random_teacher(cfg, settings.folder / f'{Path(config).stem}_teacher.pth')
    # Losses with a schedule ask how far the training is: in the middle all of them take part.
    MessageHub.get_current_instance().update_info_dict(dict(iter=50, max_iters=100))
    return cfg


def student_config(cfg: Config) -> dict[str, Any]:
    """The student of a distillation alone, with the auxiliary heads that it has there."""
    preprocessor = {key: value for key, value in cfg.model.data_preprocessor.items() if not key.startswith('voxel')}
    return dict(deepcopy(cfg.model.student), data_preprocessor=preprocessor)


def with_cache(settings: Settings, cfg: Config) -> Config:
    """The same config with its teacher's answers on disk."""
    folder = settings.folder / 'teacher_cache'
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        CacheWriter(cfg, cfg.model.teacher_checkpoint).write(folder, 'tools/cache_teacher.py', workers=0)
    cached = deepcopy(cfg)
    cached.model.teacher_cache = str(folder)
    follow_teacher_cache(cached)
    return cached


def load(cfg: Config, size: int | None = None) -> Batch:
    """The first samples of the training data, loaded as in training.

    Args:
        cfg: Config; its batch size is taken unless `size` is given.
        size: Samples; more than there are begin again from the first.
    """
    np.random.seed(0)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    innermost = dataset
    while hasattr(innermost, 'dataset'):
        innermost = innermost.dataset
    # Without draws of samples: one that has no box is passed over by the loader, here it would be None.
    items = (innermost.prepare_data(index % len(innermost)) for index in range(len(innermost) * 100))
    found = (item for item in items if item is not None)
    return pseudo_collate([deepcopy(next(found)) for _ in range(size or cfg.train_dataloader.batch_size)])


def only(batch: Batch, sensor: str) -> Batch:
    """A batch with one sensor, ``'img'`` or ``'points'``."""
    return dict(batch, inputs={sensor: batch['inputs'][sensor]})


def with_queue(batch: Batch, length: int) -> Batch:
    """A batch whose samples have queues of so many frames, all like their current one, each with history."""
    batch = deepcopy(batch)
    batch['inputs']['img'] = [queue[-1:].repeat(length, 1, 1, 1, 1) for queue in batch['inputs']['img']]
    for sample in batch['data_samples']:
        repeated = {name: np.repeat(sample.metainfo[name][-1:], length, 0) for name in ('lidar2img', 'can_bus')}
        sample.set_metainfo(dict(repeated, history_exists=np.arange(length) > 0))
    return batch


def with_cameras(batch: Batch, number: int) -> Batch:
    """A batch with the first cameras alone."""
    batch = deepcopy(batch)
    batch['inputs']['img'] = [queue[:, :number].contiguous() for queue in batch['inputs']['img']]
    for sample in batch['data_samples']:
        meta = sample.metainfo
        sample.set_metainfo(dict(lidar2img=meta['lidar2img'][:, :number], img_shape=meta['img_shape'][:number]))
    return batch


def build(config: Mapping[str, Any], device: str) -> nn.Module:
    """A model in training mode with its first weights."""
    torch.manual_seed(0)
    model: nn.Module = MODELS.build(config)
    model.init_weights()
    return model.to(device).train()


def trainer(cfg: Config, model: nn.Module) -> Callable[[Batch], object]:
    """Makes a training step of a loaded batch, up to updated weights."""
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    return lambda batch: model.train_step(batch, optim_wrapper)


def training_step(cfg: Config, model: nn.Module, batch: Batch) -> Run:
    """Training steps of one batch."""
    return partial(trainer(cfg, model), batch)


def forward(model: nn.Module, batch: Batch) -> Run:
    """From a loaded batch to outputs, in training mode and with what a backward pass would need."""

    def run() -> object:
        data = model.data_preprocessor(batch, True)
        return model.forward_outputs(data['inputs'], data['data_samples'])

    return run


def teacher_forward(distiller: nn.Module, batch: Batch) -> Run:
    """From loaded points to what the teacher answers in a distilled step."""

    def run() -> object:
        data = distiller.data_preprocessor(batch, True)
        return distiller.teacher(data['inputs'], data['data_samples'])

    return run
