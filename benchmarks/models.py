"""Build models, data and training steps of a distillation config, with random weights."""

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
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from bevdistill.engine.launch import load_config
from bevdistill.teacher_cache import leaf_datasets
from bevdistill.teacher_cache.follow import follow_teacher_cache
from bevdistill.teacher_cache.writer import CacheWriter

from .clock import Clock, Run

Batch = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What each part of the benchmark needs.

    Args:
        clock: Measures.
        repeats: Rounds that count.
        quick: Smallest sizes: everything runs, no figure means anything.
        config: Config of a distillation.
        temporal_config: Config of a distillation with history.
        data_root: Root with images, points and ``nuscenes_infos_train.msgpack.gz``.
        folder: For files that are needed meanwhile.
        step: Called with the share of the part that was done since the last call.
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
        """Device that models run on."""
        return self.clock.device

    def alternate(
        self, sides: Mapping[str, Run], extra: int = 0, warm_ups: int = 1, slower: int = 1, parts: int = 1
    ) -> dict[str, list[float]]:
        """Time sides in turns, see :meth:`Clock.alternate`, and report progress.

        Args:
            sides: What is compared, by name.
            extra: Further work, in rounds.
            warm_ups: Rounds before; none with `quick`.
            slower: Repeats are divided by this.
            parts: Number of such measurements in the part.
        """
        repeats, warm_ups = max(1, self.repeats // slower), 0 if self.quick else warm_ups
        each = 1 / (repeats + warm_ups + extra) / parts
        return self.clock.alternate(sides, repeats, lambda: self.step(each), warm_ups)


def make_data(root: Path, quick: bool) -> None:
    """Make a small data set like that of the demo: the same cameras, LiDAR and world, fewer scenes."""
    from bevdistill.datasets.infos import create_nuscenes_infos
    from bevdistill.synthetic import PRESETS, make_dataset

    preset = replace(PRESETS['demo'], name='demo-short', train_scenes=1 if quick else 4, val_scenes=1)
    make_dataset(root, preset, 'v1.0-trainval', workers=1, progress=False)
    with contextlib.redirect_stderr(io.StringIO()):
        create_nuscenes_infos(root, 'v1.0-trainval')


def set_up(threads: int) -> None:
    """Set registries and threads, and silence mmengine's weight-initialisation log."""
    init_default_scope('mmdet3d')
    torch.set_num_threads(threads)
    MMLogger.get_instance('benchmark', logger_name='benchmark', log_level='ERROR')
    logging.getLogger('mmengine').setLevel(logging.ERROR)


def prepared(settings: Settings, config: str, with_teacher: bool = True) -> Config:
    """Load a distillation config on the benchmark's data, with random weights for its teacher.

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


def drop_pretrained(config: Any) -> None:
    """Remove every ``init_cfg`` that reads a file, so that a model starts from random weights."""
    if isinstance(config, dict):
        if isinstance(config.get('init_cfg'), dict) and config['init_cfg'].get('type') == 'Pretrained':
            config['init_cfg'] = None
        for value in config.values():
            drop_pretrained(value)


def random_teacher(cfg: Config, path: Path) -> None:
    """Write random weights of a distiller's teacher and name them in its config."""
    teacher = MODELS.build(cfg.model.teacher)
    teacher.init_weights()
    torch.save({'state_dict': teacher.state_dict()}, path)
    cfg.model.update(teacher_checkpoint=str(path), trust_teacher=True)


def student_config(cfg: Config) -> dict[str, Any]:
    """Return the config of a distillation's student alone, with the auxiliary heads that it has there."""
    preprocessor = {key: value for key, value in cfg.model.data_preprocessor.items() if not key.startswith('voxel')}
    return dict(deepcopy(cfg.model.student), data_preprocessor=preprocessor)


def with_cache(settings: Settings, cfg: Config) -> Config:
    """Return the same config with its teacher's outputs on disk."""
    folder = settings.folder / 'teacher_cache'
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        CacheWriter(cfg, cfg.model.teacher_checkpoint).write(folder, 'tools/cache_teacher.py', workers=0)
    cached = deepcopy(cfg)
    cached.model.teacher_cache = str(folder)
    follow_teacher_cache(cached)
    return cached


def load(cfg: Config, size: int | None = None) -> Batch:
    """Load the first samples of the training data as in training.

    Args:
        cfg: Config; its batch size is taken unless `size` is given.
        size: Samples; more than there are begin again from the first.
    """
    np.random.seed(0)
    innermost = DATASETS.build(cfg.train_dataloader.dataset)
    while hasattr(innermost, 'dataset'):
        innermost = innermost.dataset
    # A sample that loses all its boxes is None; the loader takes another one instead.
    items = (innermost.prepare_data(index % len(innermost)) for index in range(len(innermost) * 100))
    found = (item for item in items if item is not None)
    return pseudo_collate([deepcopy(next(found)) for _ in range(size or cfg.train_dataloader.batch_size)])


def only(batch: Batch, sensor: str) -> Batch:
    """Keep one sensor of a batch, ``'img'`` or ``'points'``."""
    return dict(batch, inputs={sensor: batch['inputs'][sensor]})


def with_queue(batch: Batch, length: int) -> Batch:
    """Repeat the current frame of each sample to a queue of so many frames, all but the first with history."""
    batch = deepcopy(batch)
    batch['inputs']['img'] = [queue[-1:].repeat(length, 1, 1, 1, 1) for queue in batch['inputs']['img']]
    for sample in batch['data_samples']:
        repeated = {name: np.repeat(sample.metainfo[name][-1:], length, 0) for name in ('lidar2img', 'can_bus')}
        sample.set_metainfo(dict(repeated, history_exists=np.arange(length) > 0))
    return batch


def with_cameras(batch: Batch, number: int) -> Batch:
    """Keep the first cameras of a batch."""
    batch = deepcopy(batch)
    batch['inputs']['img'] = [queue[:, :number].contiguous() for queue in batch['inputs']['img']]
    for sample in batch['data_samples']:
        meta = sample.metainfo
        sample.set_metainfo(dict(lidar2img=meta['lidar2img'][:, :number], img_shape=meta['img_shape'][:number]))
    return batch


def build(config: Mapping[str, Any], device: str) -> Any:
    """Build a model in training mode with its initial weights."""
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    return model.to(device).train()


def trainer(cfg: Config, model: Any) -> Callable[[Batch], object]:
    """Return a function that takes a training step of a loaded batch, up to updated weights."""
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    return lambda batch: model.train_step(batch, optim_wrapper)


def training_step(cfg: Config, model: Any, batch: Batch) -> Run:
    """Return a run that takes a training step of one batch."""
    return partial(trainer(cfg, model), batch)


def forward(model: Any, batch: Batch, network: Callable[..., object] | None = None) -> Run:
    """Return a run from a loaded batch to outputs, in training mode with what a backward pass would need.

    Args:
        model: A student, teacher or distiller.
        batch: Loaded samples.
        network: Takes inputs and samples; None for the model's ``forward_outputs``.
    """

    def run() -> object:
        data = model.data_preprocessor(batch, True)
        return (network or model.forward_outputs)(data['inputs'], data['data_samples'])

    return run
