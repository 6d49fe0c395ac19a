"""The CPU-sized configs made to run on the tiny synthetic nuScenes in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet3d.registry import HOOKS, MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope

from bevdistill.engine.launch import load_config, run_training

TEACHER = Path(__file__).resolve().parents[1] / 'configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@HOOKS.register_module(force=True)
class LossRecorder(Hook):
    """Keeps the total loss of every iteration, and the runner."""

    latest: LossRecorder

    def __init__(self) -> None:
        LossRecorder.latest = self
        self.losses: list[float] = []
        self.names: set[str] = set()

    def before_train(self, runner: Any) -> None:
        self.runner = runner

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses.append(float(outputs['loss']))
        self.names |= set(outputs)


def point_at(node: Any, root: Path, infos: Path, scale: float) -> None:
    """Give every data set and metric of a config the tiny data, its images resized."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == 'data_root':
            node[key] = str(root)
        elif key == 'ann_file':
            node[key] = str(infos / Path(value).name)
        elif key == 'resize':
            value['scale'] = scale
        point_at(value, root, infos, scale)


def tiny_config(
    file: Path, iterations: int, root: Path, infos: Path, work_dir: Path, overrides: Mapping[str, Any] | None = None,
    scale: float = 0.5,
) -> Config:  # fmt: skip
    """A CPU-sized config on the tiny data: so many iterations, no validation between them, no worker processes.

    Images are half as wide and high as the config's, where it matters that a run works and not what its losses are.
    """
    cfg = load_config(file, {'train_cfg.max_iters': iterations, **(overrides or {})}, work_dir)
    for part in (*LOADERS, 'val_evaluator', 'test_evaluator'):
        point_at(cfg[part], root, infos, scale)
    for loader in (cfg[part] for part in LOADERS if cfg[part] is not None):
        loader.num_workers = 0
        loader.persistent_workers = False
    cfg.train_cfg.val_interval = 1000
    cfg.train_cfg.val_begin = 1000
    return cfg


def untrained_teacher(folder: Path, model: Mapping[str, Any] | None = None) -> str:
    """File of a teacher, that of the CPU-sized distillers by default, that has learned nothing and does not say so."""
    init_default_scope('mmdet3d')
    path = folder / 'teacher.pth'
    torch.save(dict(state_dict=MODELS.build(model or Config.fromfile(str(TEACHER)).model).state_dict()), path)
    return str(path)


def train(cfg: Config) -> LossRecorder:
    """Train; returns what the losses were."""
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='LossRecorder')]
    run_training(cfg)
    return LossRecorder.latest
