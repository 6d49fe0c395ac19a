"""Training with a cached teacher is training with the live one; a cache that does not belong to a run is refused."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from cache_runs import distilled, released, save_teacher, with_cache, write
from mmengine.config import Config
from tiny_runs import train

from bevdistill.checkpoints import META_KEY
from bevdistill.datasets import LoadLidarPoints
from bevdistill.datasets.infos import read_infos, write_infos
from bevdistill.engine.launch import run_testing
from bevdistill.teacher_cache import TeacherCache, follow_teacher_cache

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def caches(data: tuple[Path, Path], teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TeacherCache]:
    """Caches of all taps, by storage type."""
    folder = tmp_path_factory.mktemp('caches')
    taps = ['bev', 'states', 'heatmap', 'heatmap_features']
    cfg = distilled(teacher, data, folder)
    return {kind: write(cfg, teacher, folder / kind, taps=taps, dtype=kind) for kind in ('float16', 'float32')}


def no_points(self: Any, results: Any) -> Any:
    raise AssertionError('a run with a cached teacher reads no points')


def meta(work_dir: Path, iteration: int) -> dict[str, Any]:
    return torch.load(work_dir / f'iter_{iteration}.pth', weights_only=True)['meta'][META_KEY]


@pytest.mark.parametrize(('form', 'batch'), [('paper', 2), ('released', 1)])
def test_live_and_cached_training_give_the_same_losses(
    data: Any, teacher: Path, caches: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, batch: int
) -> None:
    def config(name: str) -> Config:
        cfg = distilled(teacher, data, tmp_path / name, iterations=2, batch=batch)
        return cfg if form == 'paper' else released(cfg)

    live = train(config('live'))
    monkeypatch.setattr(LoadLidarPoints, 'transform', no_points)
    for kind, tolerance in (('float32', 1e-6), ('float16', 1e-3)):
        cached = train(with_cache(config(kind), caches[kind].folder))
        assert cached.names == live.names
        assert cached.losses == pytest.approx(live.losses, rel=tolerance, abs=0), kind
        assert meta(tmp_path / kind, 2) == meta(tmp_path / 'live', 2)
        assert len(meta(tmp_path / kind, 2)['teacher']['sha256']) == 64


def test_a_resumed_run_equals_an_undisturbed_one(data: Any, teacher: Path, caches: Any, tmp_path: Path) -> None:
    def config(name: str) -> Config:
        cfg = with_cache(distilled(teacher, data, tmp_path / name, iterations=4), caches['float16'].folder)
        cfg.model.losses.dense.pop('schedule')  # It follows the length of the run, which the cut one is told wrongly.
        cfg.default_hooks.diagnose.interval = 1 if name == 'whole' else 50  # Measuring changes nothing.
        return cfg

    whole = train(config('whole')).losses
    cut = config('cut')
    cut.train_cfg.max_iters = 2
    cut.param_scheduler[1].end = 4
    first = train(cut).losses
    rest = config('cut')
    rest.resume = True
    assert [*first, *train(rest).losses] == whole
    assert 'diagnose/cka_bev' in next((tmp_path / 'whole').glob('*/vis_data/scalars.json')).read_text()


def test_the_switch_changes_the_training_data_alone(data: Any, teacher: Path, caches: Any, tmp_path: Path) -> None:
    cfg = with_cache(distilled(teacher, data, tmp_path), caches['float16'].folder)
    before = deepcopy(cfg)
    follow_teacher_cache(cfg)
    leaf = cfg.train_dataloader.dataset.dataset
    assert leaf.modality == dict(use_camera=True, use_lidar=False)
    assert list(leaf.pipeline)[-1] == 'teacher_outputs'
    assert leaf.pipeline.teacher_outputs == dict(type='LoadTeacherOutputs', folder=str(caches['float16'].folder))
    for part in ('model', 'val_dataloader', 'test_dataloader', 'val_evaluator'):
        assert cfg[part] == before[part]
    again = deepcopy(cfg)
    follow_teacher_cache(again)
    assert again.train_dataloader == cfg.train_dataloader
    without = distilled(teacher, data, tmp_path)
    before = deepcopy(without)
    follow_teacher_cache(without)
    assert without.train_dataloader == before.train_dataloader


def test_all_that_does_not_fit_is_named_at_once(data: Any, teacher: Path, caches: Any, tmp_path: Path) -> None:
    cfg = distilled(teacher, data, tmp_path)
    other = save_teacher(tmp_path / 'other.pth', cfg.model.teacher, seed=1)
    with_cache(cfg, caches['float16'].folder)
    cfg.model.teacher_checkpoint = str(other)
    cfg.model.teacher.pts_bbox_head.decoder.num_heads = 2
    cfg.model.data_preprocessor.voxel_layer.max_num_points = 5
    leaf = cfg.train_dataloader.dataset.dataset
    leaf.pipeline.points_sweeps.sweeps_num = 3
    infos = read_infos(leaf.ann_file)
    infos['data_list'][3]['lidar_sweeps'].pop()
    infos['data_list'][4]['token'] = 'new'
    leaf.ann_file = str(tmp_path / 'other.msgpack.gz')
    write_infos(leaf.ann_file, infos)
    with pytest.raises(ValueError, match='does not belong to this run') as caught:
        follow_teacher_cache(cfg)
    text = str(caught.value)
    for line in (
        'teacher: the cache was made with the weights ',
        'model.pts_bbox_head.decoder.num_heads: the cache has 4, this run 2',
        'voxels.voxel_layer.max_num_points: the cache has 10, this run 5',
        'points.points_sweeps.sweeps_num: the cache has 1, this run 3',
        'data: the cache lacks 1 sample, new for one',
        'data: 1 sample with other LiDAR files, calibration or times',
        'python tools/cache_teacher.py CONFIG CHECKPOINT',
    ):
        assert line in text


def test_augmentation_that_moves_lidar_space_is_refused(data: Any, teacher: Path, caches: Any, tmp_path: Path) -> None:
    cfg = with_cache(distilled(teacher, data, tmp_path), caches['float16'].folder)
    cfg.train_dataloader.dataset.dataset.pipeline.flip = dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5)
    with pytest.raises(ValueError, match=r"(?s)stage 'flip' \(RandomFlip3D\) moves LiDAR space.*with the live teacher"):
        follow_teacher_cache(cfg)


def test_no_cache_in_the_folder(data: Any, teacher: Path, tmp_path: Path) -> None:
    cfg = with_cache(distilled(teacher, data, tmp_path), tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='there is no teacher cache in'):
        follow_teacher_cache(cfg)


def test_testing_reads_no_cache(
    data: Any, teacher: Path, caches: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(with_cache(distilled(teacher, data, tmp_path / 'run'), caches['float16'].folder))
    cfg = with_cache(distilled(tmp_path / 'absent.pth', data, tmp_path / 'run'), tmp_path / 'absent')
    metrics = run_testing(cfg, str(tmp_path / 'run' / 'iter_2.pth'))
    assert 0 <= metrics['nuscenes/NDS'] <= 1
