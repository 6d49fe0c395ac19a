"""The CPU-sized configs train, resume, test and distil on a tiny synthetic nuScenes: the main job in small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope

import bevdistill
from bevdistill.engine.launch import load_config, run_testing, run_training

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'synthetic'
TEACHER = 'object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py'
STUDENT = 'bevformer/bevformer_r50_1x_nus-3d.py'
DISTILLED = 'bevdistill/bevdistill_r50_1x_nus-3d.py'
PINNED = [12.227, 11.848, 11.086, 10.858]
"""Total loss of the student at iterations 0, 5, 10 and 15, seed 0."""


@HOOKS.register_module(force=True)
class LossRecorder(Hook):
    """Keeps the total loss of every iteration."""

    latest: LossRecorder

    def __init__(self) -> None:
        LossRecorder.latest = self
        self.losses: list[float] = []
        self.names: set[str] = set()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses.append(float(outputs['loss']))
        self.names |= set(outputs)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    DefaultScope._instance_dict.clear()


def point_at(node: Any, root: Path, infos: Path) -> None:
    """Give every data set and metric of a config the tiny data."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == 'data_root':
            node[key] = str(root)
        elif key == 'ann_file':
            node[key] = str(infos / Path(value).name)
        point_at(value, root, infos)


@pytest.fixture
def tiny_config(synthetic_root: Path, synthetic_infos: Path, tmp_path: Path):
    """Load a CPU-sized config for the tiny data set: ``tiny_config(name, iterations, work_dir='run', **overrides)``."""

    def load(name: str, iterations: int, work_dir: str = 'run', **overrides: Any) -> Config:
        options = {key.replace('__', '.'): value for key, value in overrides.items()}
        cfg = load_config(CONFIGS / name, {'train_cfg.max_iters': iterations, **options}, tmp_path / work_dir)
        for part in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator'):
            point_at(cfg[part], synthetic_root, synthetic_infos)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.num_workers = 0
            loader.persistent_workers = False
        cfg.train_cfg.val_interval = 1000
        cfg.train_cfg.val_begin = 1000
        for dataset in (cfg.val_dataloader.dataset, cfg.test_dataloader.dataset):
            dataset.metainfo = dict(cfg.metainfo, version='v1.0-mini')
        return cfg

    return load


def train(cfg: Config) -> LossRecorder:
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='LossRecorder')]
    run_training(cfg)
    return LossRecorder.latest


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location='cpu', weights_only=True)['state_dict']


@pytest.fixture
def teacher_checkpoint(tiny_config, tmp_path: Path) -> str:
    train(tiny_config(TEACHER, 2, 'teacher', train_dataloader__batch_size=2))
    return str(tmp_path / 'teacher' / 'iter_2.pth')


def test_loss_curve_of_the_student_is_pinned(tiny_config):
    losses = train(tiny_config(STUDENT, 20, train_dataloader__batch_size=2)).losses
    assert losses[::5] == pytest.approx(PINNED, rel=0.03)
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])


def test_a_resumed_run_equals_an_undisturbed_one(tiny_config, tmp_path: Path):
    options = dict(train_dataloader__batch_size=2, default_hooks__checkpoint__interval=2)
    whole = train(tiny_config(STUDENT, 4, 'whole', **options)).losses
    cut = tiny_config(STUDENT, 4, 'cut', **options)
    cut.train_cfg.max_iters = 2
    cut.param_scheduler[1].end = 4
    first = train(cut).losses
    resumed = tiny_config(STUDENT, 4, 'cut', **options)
    resumed.resume = True
    second = train(resumed).losses
    assert [*first, *second] == whole
    got, want = weights(tmp_path / 'cut' / 'iter_4.pth'), weights(tmp_path / 'whole' / 'iter_4.pth')
    assert got.keys() == want.keys()
    assert all(torch.equal(got[key], want[key]) for key in want)


def test_distillation_trains_the_student_only(tiny_config, teacher_checkpoint: str, tmp_path: Path):
    cfg = tiny_config(DISTILLED, 3, 'distilled', train_dataloader__batch_size=2)
    cfg.model.teacher_checkpoint = teacher_checkpoint
    cfg.model.losses.sparse.schedule.start = 0.0
    recorder = train(cfg)
    assert {'distill.dense.loss', 'distill.sparse.loss_contrast', 'distill.sparse.loss_box'} <= recorder.names
    saved = weights(tmp_path / 'distilled' / 'iter_3.pth')
    assert {key.split('.')[0] for key in saved} == {'student', 'losses'}
    plain = tiny_config(STUDENT, 1)
    student = {key.removeprefix('student.') for key in saved if key.startswith('student.')}
    assert student == set(bevdistill.students.BEVFormer(**without_type(plain.model)).state_dict())


def without_type(model: Config) -> dict[str, Any]:
    return {key: value for key, value in model.items() if key not in ('type', 'data_preprocessor')}


def test_a_trained_model_is_scored_by_the_official_metric(tiny_config, teacher_checkpoint: str):
    metrics = run_testing(tiny_config(TEACHER, 2, 'teacher'), teacher_checkpoint)
    assert 0 <= metrics['nuscenes/NDS'] <= 1
    assert 0 <= metrics['nuscenes/mAP'] <= 1
