"""Every CPU-sized twin trains and is scored, by the function behind tools/train.py."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from tiny_runs import tiny_config, train, untrained_teacher

import bevdistill  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'synthetic'
TEACHERS = dict(
    ObjectDGCNN='object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py', BEVFormer='bevformer/bevformer_r50_1x_nus-3d.py'
)
# Sparse convolutions have no backward pass on a CPU.
TRAINABLE = sorted(
    str(file.relative_to(CONFIGS))
    for file in CONFIGS.rglob('*.py')
    if '_base_' not in file.parts and 'ablations' not in file.parts and 'voxel' not in file.name
)
ITERATIONS = 2
MIXED = ('unlabelled', 'self-training', 'few-labels')
"""In the names of distillers that train on frames with labels and without."""

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def teacher_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Teachers that have learned nothing, and do not say what they are, by type."""
    return {
        kind: untrained_teacher(tmp_path_factory.mktemp(kind), Config.fromfile(str(CONFIGS / name)).model)
        for kind, name in TEACHERS.items()
    }


def distiller_options(name: str, teacher_weights: dict[str, str]) -> dict[str, Any]:
    """A teacher, and all losses and boxes from the start."""
    model = Config.fromfile(str(CONFIGS / name)).model
    options: dict[str, Any] = {'model.teacher_checkpoint': teacher_weights[model.teacher.type]}
    if 'start' in model.losses.get('sparse', {}).get('schedule', {}):
        options['model.losses.sparse.schedule.start'] = 0.0
    if model.get('unlabelled') is not None:
        options['model.unlabelled.min_score'] = 0.0
    return options


@pytest.mark.parametrize('name', TRAINABLE)
def test_trains_and_is_scored(
    name: str, teacher_weights: dict[str, str], synthetic_root: Path, synthetic_infos: Path, tmp_path: Path
) -> None:
    if 'convnext' in name and find_spec('mmpretrain') is None:
        pytest.skip('mmpretrain is not installed')
    options = {'train_dataloader.batch_size': 2}
    mixed = name.startswith('bevdistill') and any(word in name for word in MIXED)
    if mixed:
        options |= {'train_dataloader.sampler.labelled': 1, 'train_dataloader.sampler.unlabelled': 1}
    if name.startswith('bevdistill'):
        options |= distiller_options(name, teacher_weights)
    if 'pretrained' in name:
        student = 'model.student' if name.startswith('bevdistill') else 'model'
        for part in ('img_backbone', 'img_neck'):
            options[f'{student}.{part}.init_cfg.checkpoint'] = teacher_weights['BEVFormer']
    cfg = tiny_config(CONFIGS / name, ITERATIONS, synthetic_root, synthetic_infos, tmp_path, options)
    if name.startswith('bevdistill'):
        cfg.model.trust_teacher = True
    recorder = train(cfg)
    assert len(recorder.losses) == ITERATIONS
    assert all(map(math.isfinite, recorder.losses))
    distilled = {entry for entry in recorder.names if entry.startswith('distill.')}
    assert bool(distilled) == name.startswith('bevdistill')
    assert ('distill.unlabelled.boxes' in distilled) == mixed
    metrics = recorder.runner.test()
    assert 0 <= metrics['nuscenes/NDS'] <= 1
    assert 0 <= metrics['nuscenes/mAP'] <= 1
