"""Every CPU-sized twin trains and is scored, by the function behind tools/train.py."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import pytest
from tiny_runs import tiny_config, train, untrained_teacher

import bevdistill  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic'
# Sparse convolutions have no backward pass on a CPU.
TRAINABLE = sorted(
    str(file.relative_to(CONFIGS))
    for file in CONFIGS.rglob('*.py')
    if '_base_' not in file.parts and 'ablations' not in file.parts and 'voxel' not in file.name
)
ITERATIONS = 2

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def teacher_weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A teacher that has learned nothing, and does not say what it is."""
    return untrained_teacher(tmp_path_factory.mktemp('teacher'))


@pytest.mark.parametrize('name', TRAINABLE)
def test_trains_and_is_scored(
    name: str, teacher_weights: str, synthetic_root: Path, synthetic_infos: Path, tmp_path: Path
) -> None:
    if 'convnext' in name and find_spec('mmpretrain') is None:
        pytest.skip('mmpretrain is not installed')
    options = {'train_dataloader.batch_size': 2}
    if name.startswith('bevdistill'):
        options |= {'model.teacher_checkpoint': teacher_weights}
        options |= {} if 'released' in name else {'model.losses.sparse.schedule.start': 0.0}
    cfg = tiny_config(CONFIGS / name, ITERATIONS, synthetic_root, synthetic_infos, tmp_path, options)
    if name.startswith('bevdistill'):
        cfg.model.trust_teacher = True
    recorder = train(cfg)
    assert len(recorder.losses) == ITERATIONS
    assert all(map(math.isfinite, recorder.losses))
    distilled = {entry for entry in recorder.names if entry.startswith('distill.')}
    assert bool(distilled) == name.startswith('bevdistill')
    metrics = recorder.runner.test()
    assert 0 <= metrics['nuscenes/NDS'] <= 1
    assert 0 <= metrics['nuscenes/mAP'] <= 1
