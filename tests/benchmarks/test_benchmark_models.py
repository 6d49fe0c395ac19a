"""Batches, configs and inputs that the benchmark makes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from mmengine.config import Config

from benchmarks import models
from benchmarks.clock import Clock
from benchmarks.models import (
    Settings,
    drop_pretrained,
    forward,
    load,
    only,
    prepared,
    student_config,
    training_step,
    with_cameras,
    with_queue,
)
from benchmarks.reference.workload import RANGE, encoder_workload, random_targets, surround_matrices
from bevdistill.structures import BEVGrid
from bevdistill.teacher_cache import leaf_datasets

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
DISTILLED = CONFIGS / 'synthetic' / 'bevdistill' / 'bevdistill_r50_1x_nus-3d.py'


def batch(size: int = 2, frames: int = 1) -> dict[str, Any]:
    samples = []
    for place in range(size):
        sample = Det3DDataSample()
        sample.set_metainfo(dict(
            lidar2img=np.random.rand(frames, 6, 4, 4), can_bus=np.random.rand(frames, 18), img_shape=[(4, 6)] * 6,
            history_exists=np.zeros(frames, dtype=bool), token=str(place),
        ))  # fmt: skip
        samples.append(sample)
    images = [torch.rand(frames, 6, 3, 4, 6) for _ in samples]
    return dict(inputs=dict(img=images, points=[torch.rand(5, 5)] * size), data_samples=samples)


def settings(tmp_path: Path, **options: Any) -> tuple[Settings, list[float]]:
    shares: list[float] = []
    values = dict(repeats=3, quick=False) | options
    return Settings(
        Clock('cpu'), values['repeats'], values['quick'], str(DISTILLED), '', tmp_path, tmp_path, shares.append
    ), shares  # fmt: skip


def test_one_sensor_of_a_batch() -> None:
    both = batch()
    assert only(both, 'points')['inputs'].keys() == {'points'}
    assert only(both, 'img')['inputs']['img'] is both['inputs']['img']
    assert both['inputs'].keys() == {'img', 'points'}


def test_a_queue_repeats_the_current_frame() -> None:
    short = batch(frames=2)
    long = with_queue(short, 4)
    for images, before in zip(long['inputs']['img'], short['inputs']['img'], strict=True):
        assert images.shape == (4, 6, 3, 4, 6)
        assert all(torch.equal(frame, before[-1]) for frame in images)
    for sample, before in zip(long['data_samples'], short['data_samples'], strict=True):
        assert sample.history_exists.tolist() == [False, True, True, True]
        assert np.array_equal(sample.lidar2img[2], before.lidar2img[-1])
        assert sample.can_bus.shape == (4, 18)
        assert before.lidar2img.shape == (2, 6, 4, 4), 'the batch given stays as it is'


def test_the_first_cameras_of_a_batch() -> None:
    six = batch()
    two = with_cameras(six, 2)
    assert [images.shape[1] for images in two['inputs']['img']] == [2, 2]
    assert torch.equal(two['inputs']['img'][1], six['inputs']['img'][1][:, :2])
    assert two['data_samples'][0].lidar2img.shape == (1, 2, 4, 4)
    assert len(two['data_samples'][0].img_shape) == 2
    assert len(six['data_samples'][0].img_shape) == 6


def test_progress_of_a_part_comes_to_its_end(tmp_path: Path) -> None:
    given, shares = settings(tmp_path)
    times = given.alternate(dict(a=lambda: None), extra=2)
    assert len(times['a']) == 3
    assert shares == pytest.approx([1 / 6] * 4)
    given, shares = settings(tmp_path, quick=True, repeats=5)
    times = given.alternate(dict(a=lambda: None), warm_ups=2, slower=2, parts=4)
    assert len(times['a']) == 2, 'no round warms up where figures mean nothing'
    assert shares == pytest.approx([1 / 2 / 4] * 2)


def test_no_weights_are_read_from_files() -> None:
    init = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    model = dict(backbone=dict(init_cfg=init), neck=dict(init_cfg=dict(type='Xavier')), heads=[1])
    drop_pretrained(model)
    assert model == dict(backbone=dict(init_cfg=None), neck=dict(init_cfg=dict(type='Xavier')), heads=[1])


def test_a_prepared_config_has_the_data_and_a_random_teacher(tmp_path: Path) -> None:
    given, _ = settings(tmp_path)
    cfg = prepared(given, str(DISTILLED))
    assert Path(cfg.model.teacher_checkpoint).is_file()
    assert cfg.model.trust_teacher
    assert [leaf.data_root for leaf in leaf_datasets(cfg.train_dataloader.dataset)] == [f'{tmp_path}/']
    student = student_config(cfg)
    assert student['type'] == 'BEVFormer'
    assert student['data_preprocessor']['type'] == cfg.model.data_preprocessor.type
    assert not any(key.startswith('voxel') for key in student['data_preprocessor'])
    assert Config.fromfile(DISTILLED).model.get('teacher_checkpoint') is None


def test_the_rig_looks_around() -> None:
    """A point 20 m away in the middle of each camera's view lands in the middle of its image."""
    matrices = surround_matrices((450, 800))
    assert matrices.shape == (6, 4, 4)
    for matrix, heading in zip(matrices, (0, -56, 56, 180, 110, -110), strict=True):
        angle = np.radians(heading)
        u, v, depth, _ = matrix @ np.array([-20 * np.sin(angle), 20 * np.cos(angle), -0.3, 1.0])
        assert depth == pytest.approx(20, abs=1.1)
        assert abs(u / depth - 400) < 40
        assert v / depth == pytest.approx(225, abs=20)
    assert len(surround_matrices((450, 800), num_cams=8)) == 8


@pytest.mark.parametrize('history', [False, True])
def test_an_encoder_takes_its_workload(history: bool) -> None:
    sizes = dict(batch=2, rows=4, cols=6, num_layers=1, embed_dims=32, levels=((3, 5), (2, 3)), num_cams=3)
    work = encoder_workload(**sizes, history=history)
    output = work.encoder(*work.arguments)
    assert output.shape == (2, 24, 32)
    output.sum().backward()
    assert all(leaf.grad is not None for leaf in work.leaves)
    assert len(work.leaves) == 3


def test_targets_lie_on_the_grid_or_beyond() -> None:
    grid = BEVGrid(RANGE, 8, 8)
    targets = random_targets((40, 0), grid)
    assert [len(boxes) for boxes in targets.boxes] == [40, 0]
    boxes = targets.boxes[0]
    assert boxes[:, :2].abs().max() <= 51.2
    assert boxes[:, 3:6].min() >= 0.3
    assert boxes[:, 3:6].max() <= 8.3
    assert set(targets.labels[0].tolist()) <= set(range(10))
    assert random_targets((200,), grid, spread=2.0).boxes[0][:, :2].abs().max() > 51.2


class Lossy:
    """Data of three samples of which the second loses all its boxes; each item tells how often it was read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return 3

    def prepare_data(self, index: int) -> dict[str, int] | None:
        self.read.append(index)
        return None if index == 1 else dict(index=index)


def test_batches_are_of_the_first_samples_and_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through wrappers, to the data set itself; a sample without boxes is passed over."""
    data = Lossy()
    wrapped = SimpleNamespace(dataset=SimpleNamespace(dataset=data))
    monkeypatch.setattr(models, 'DATASETS', SimpleNamespace(build=lambda config: wrapped))
    cfg: Any = SimpleNamespace(train_dataloader=SimpleNamespace(dataset='data', batch_size=2))
    assert load(cfg)['index'] == [0, 2] and data.read == [0, 1, 2]
    assert load(cfg, 5)['index'] == [0, 2, 0, 2, 0]


class Recorder:
    """A model that tells what it was given."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def data_preprocessor(self, given: Any, training: bool) -> dict[str, Any]:
        assert training
        return dict(inputs=f'{given} inputs', data_samples=f'{given} samples')

    def forward_outputs(self, inputs: str, samples: str) -> tuple[str, ...]:
        return 'student', inputs, samples

    def train_step(self, given: Any, optim_wrapper: Any) -> str:
        self.steps.append((given, optim_wrapper))
        return 'losses'


def test_runs_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward from loaded samples to outputs, by the model or by what is named; steps with one optimizer each."""
    model: Any = Recorder()
    assert forward(model, 'raw')() == ('student', 'raw inputs', 'raw samples')
    assert forward(model, 'raw', lambda *given: given)() == ('raw inputs', 'raw samples')
    made: list[str] = []

    def build(owner: Any, config: str) -> str:
        made.append(config)
        return f'{config} {len(made)}'

    monkeypatch.setattr(models, 'build_optim_wrapper', build)
    run = training_step(SimpleNamespace(optim_wrapper='adam'), model, 'raw')
    assert (run(), run()) == ('losses', 'losses') and made == ['adam']
    assert model.steps == [('raw', 'adam 1')] * 2
