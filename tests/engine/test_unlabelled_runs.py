"""Trainings with labelled and unlabelled frames: with a live and a cached teacher, and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cache_runs import CONFIGS, save_teacher, with_cache, write
from mmengine.config import Config
from tiny_runs import tiny_config, train

TWIN = CONFIGS / 'synthetic' / 'bevdistill' / 'bevdistill_r50_1x_unlabelled_nus-3d.py'

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def data(synthetic_root: Path, synthetic_infos: Path) -> tuple[Path, Path]:
    return synthetic_root, synthetic_infos


def mixed(teacher: Path, data: tuple[Path, Path], work_dir: Path, iterations: int = 2) -> Config:
    """The twin on three of eight scenes with labels; its points without the randomness that a cache leaves out."""
    dataset = 'train_dataloader.dataset.dataset'
    options: dict[str, Any] = {
        'train_dataloader.batch_size': 2,
        f'{dataset}.labelled': 3,
        f'{dataset}.dataset.pipeline.points_shuffle': None,
        f'+{dataset}.dataset.pipeline.points_sweeps.test_mode': True,
        'model.losses.sparse.schedule.start': 0.0,
        'model.unlabelled.min_score': 0.6,
        'model.teacher_checkpoint': str(teacher),
        'default_hooks.checkpoint.interval': 1,
    }
    cfg = tiny_config(TWIN, iterations, *data, work_dir, options)
    cfg.model.losses.dense.pop('schedule')  # It follows the length of the run, which a cut one is told wrongly.
    return cfg


@pytest.fixture(scope='module')
def teacher(data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('teacher')
    return save_teacher(folder / 'teacher.pth', mixed(folder, data, folder).model.teacher)


def test_live_cached_and_resumed(data: tuple[Path, Path], teacher: Path, tmp_path: Path) -> None:
    recorder = train(mixed(teacher, data, tmp_path / 'live'))
    live = recorder.losses
    assert 'distill.unlabelled.boxes' in recorder.names
    boxes = recorder.runner.message_hub.get_scalar('train/distill.unlabelled.boxes').data[0]
    assert len(boxes) == 2 and boxes.min() > 0
    dataset = recorder.runner.train_dataloader.dataset
    assert int(dataset.is_labelled.sum()) == 9 and len(dataset) == 24

    cut = mixed(teacher, data, tmp_path / 'cut')
    cut.train_cfg.max_iters = 1
    cut.param_scheduler[1].end = 2
    first = train(cut).losses
    rest = mixed(teacher, data, tmp_path / 'cut')
    rest.resume = True
    assert [*first, *train(rest).losses] == live

    cache = write(mixed(teacher, data, tmp_path), teacher, tmp_path / 'cache', taps=['bev', 'states'], dtype='float32')
    assert cache.manifest.num_samples == 24, 'unlabelled frames are in the cache'
    cached = train(with_cache(mixed(teacher, data, tmp_path / 'cached'), cache.folder)).losses
    assert cached == pytest.approx(live, rel=1e-6, abs=0)


def test_a_batch_that_cannot_hold_the_mixture_stops_the_run(
    data: tuple[Path, Path], teacher: Path, tmp_path: Path
) -> None:
    cfg = mixed(teacher, data, tmp_path)
    cfg.train_dataloader.batch_size = 3
    with pytest.raises(ValueError, match='batches of 3 on 1 ranks cannot all hold 1 labelled and 1 unlabelled frames'):
        train(cfg)


def test_a_plain_student_refuses_unlabelled_frames(data: tuple[Path, Path], teacher: Path, tmp_path: Path) -> None:
    cfg = mixed(teacher, data, tmp_path)
    cfg.model = dict(cfg.model.student, data_preprocessor=cfg.model.data_preprocessor)
    with pytest.raises(ValueError, match=r'sample \w+ is an unlabelled frame.*Distil with unlabelled=dict'):
        train(cfg)

