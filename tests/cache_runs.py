"""Distillations with the CPU-sized teacher on the tiny synthetic nuScenes, live and from a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_runs
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from bevdistill.checkpoints import BOX_CONVENTION, META_KEY
from bevdistill.datasets.infos import read_infos, write_infos
from bevdistill.teacher_cache import CacheWriter

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
DISTILLED = CONFIGS / 'synthetic' / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'
SAMPLES = 8
"""Samples that are cached."""
COMMAND = 'python tools/cache_teacher.py CONFIG teacher.pth --out cache'


def distilled(teacher: Path, data: tuple[Path, Path], work_dir: Path, iterations: int = 2, batch: int = 2) -> Config:
    """The distilled twin, its points without the randomness that a cache leaves out, all losses from the start."""
    options = {
        'train_dataloader.batch_size': batch,
        'train_dataloader.dataset.dataset.pipeline.points_shuffle': None,
        '+train_dataloader.dataset.dataset.pipeline.points_sweeps.test_mode': True,
        'model.losses.sparse.schedule.start': 0.0,
        'default_hooks.checkpoint.interval': 2,
        'model.teacher_checkpoint': str(teacher),
    }
    return tiny_runs.tiny_config(DISTILLED, iterations, *data, work_dir, options)


def released(cfg: Config) -> Config:
    """The same with the losses of the authors' release, in the twin's sizes."""
    losses = Config.fromfile(str(CONFIGS / '_base_' / 'losses' / 'bevdistill_released.py')).released_losses
    for side in ('student_critic', 'teacher_critic'):
        losses['contrast'][side].update(in_channels=64, channels=32)
    cfg.model.losses = losses
    return cfg


def few(infos: Path, folder: Path, count: int) -> Path:
    """Information files of the first `count` samples for training, and all for validation."""
    for split, kept in (('train', count), ('val', None)):
        name = f'nuscenes_infos_{split}.msgpack.gz'
        content = read_infos(infos / name)
        content['data_list'] = content['data_list'][:kept]
        write_infos(folder / name, content)
    return folder


def with_cache(cfg: Config, folder: Path) -> Config:
    """The one switch."""
    cfg.model.teacher_cache = str(folder)
    return cfg


def save_teacher(path: Path, model: Any, seed: int = 0) -> Path:
    """A teacher with random weights, saved as a trained one."""
    init_default_scope('mmdet3d')
    torch.manual_seed(seed)
    teacher = MODELS.build(model)
    teacher.init_weights()
    # Batch norms that were never trained let everything pass at another scale; a bias makes boxes differ.
    for name, parameter in teacher.named_parameters():
        if name.endswith('bias'):
            torch.nn.init.normal_(parameter, std=0.3)
    identity = dict(
        classes=tiny_classes(),
        point_cloud_range=list(teacher.grid.point_cloud_range),
        box_convention=BOX_CONVENTION,
    )
    torch.save(dict(meta={META_KEY: identity}, state_dict=teacher.state_dict()), path)
    return path


def tiny_classes() -> list[str]:
    """Class names of the configs."""
    names: list[str] = Config.fromfile(str(DISTILLED)).class_names
    return names


def write(cfg: Config, teacher: Path, folder: Path, **options: Any) -> Any:
    """Write the cache of a config's training data."""
    run = {key: options.pop(key) for key in ('batch_size', 'workers') if key in options}
    return CacheWriter(cfg, str(teacher), **options).write(folder, COMMAND, **{'workers': 0} | run)
