"""The CPU-sized configs train, resume, test and distil on a tiny synthetic nuScenes: the main job in small."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_runs
import torch
from mmengine.config import Config
from tiny_runs import train

import bevdistill
from bevdistill.engine.launch import run_testing
from bevdistill.engine.trainable import UntrainableError

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'synthetic'
TEACHER = 'object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py'
STUDENT = 'bevformer/bevformer_r50_1x_nus-3d.py'
DISTILLED = 'bevdistill/bevdistill_r50_1x_nus-3d.py'
PINNED = [12.227, 11.848, 11.086, 10.858]
"""Total loss of the student at iterations 0, 5, 10 and 15, seed 0."""

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture
def tiny_config(synthetic_root: Path, synthetic_infos: Path, tmp_path: Path):
    """Load a CPU-sized config for the tiny data set: ``tiny_config(name, iterations, work_dir='run', **overrides)``."""

    def load(name: str, iterations: int, work_dir: str = 'run', scale: float = 0.5, **overrides: Any) -> Config:
        options = {key.replace('__', '.'): value for key, value in overrides.items()}
        return tiny_runs.tiny_config(
            CONFIGS / name, iterations, synthetic_root, synthetic_infos, tmp_path / work_dir, options, scale
        )

    return load


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, map_location='cpu', weights_only=True)['state_dict']


@pytest.fixture(scope='module')
def trained_teacher(synthetic_root: Path, synthetic_infos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('teacher')
    options = {'train_dataloader.batch_size': 2}
    train(tiny_runs.tiny_config(CONFIGS / TEACHER, 2, synthetic_root, synthetic_infos, folder, options))
    return folder / 'iter_2.pth'


@pytest.fixture
def teacher_checkpoint(trained_teacher: Path, tmp_path: Path) -> str:
    return str(shutil.copy(trained_teacher, tmp_path))


def test_loss_curve_of_the_student_is_pinned(tiny_config):
    losses = train(tiny_config(STUDENT, 20, scale=1.0, train_dataloader__batch_size=2)).losses
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
    # A test of the distiller's own config names no teacher and finds none.
    Path(teacher_checkpoint).unlink()
    tested = tiny_config(DISTILLED, 3, 'tested')
    assert tested.model.get('teacher_checkpoint') is None
    assert 0 <= run_testing(tested, str(tmp_path / 'distilled' / 'iter_3.pth'))['nuscenes/NDS'] <= 1


def test_a_distiller_without_a_teacher_is_refused_before_data_is_read(tiny_config, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bevdistill.datasets.SequenceNuScenesDataset, '__init__', lambda *_, **__: pytest.fail('read'))
    with pytest.raises(UntrainableError, match='training a distiller needs teacher_checkpoint'):
        train(tiny_config(DISTILLED, 1))


def without_type(model: Config) -> dict[str, Any]:
    return {key: value for key, value in model.items() if key not in ('type', 'data_preprocessor')}


def test_a_trained_model_is_scored_by_the_official_metric(tiny_config, teacher_checkpoint: str):
    metrics = run_testing(tiny_config(TEACHER, 2, 'teacher'), teacher_checkpoint)
    assert 0 <= metrics['nuscenes/NDS'] <= 1
    assert 0 <= metrics['nuscenes/mAP'] <= 1
