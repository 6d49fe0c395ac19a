"""Every project's CPU-sized twin trains and is scored, by the function behind tools/train.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from all_projects import PROJECTS, twin
from mmengine.config import ConfigDict
from tiny_runs import tiny_config, train, untrained_teacher

import bevdistill  # noqa: F401
from bevdistill.engine.launch import load_config
from bevdistill.engine.settings import set_amp

ITERATIONS = dict(float32=2, bfloat16=1)
BATCH = dict(float32=2, bfloat16=1)  # a CPU takes its time with bfloat16

pytestmark = pytest.mark.usefixtures('one_thread')


@pytest.fixture(scope='module')
def teacher_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """File of a project's teacher that has learned nothing; projects with the same teacher share it."""
    made: dict[str, str] = {}

    def file_of(project: str) -> str:
        model = model_of(project).teacher
        if str(model) not in made:
            made[str(model)] = untrained_teacher(tmp_path_factory.mktemp('teacher'), model)
        return made[str(model)]

    return file_of


@cache
def model_of(project: str) -> ConfigDict:
    """Model in the config of a project's twin; never change it."""
    return load_config(twin(project)).model


def scheduled(project: str) -> list[str]:
    """Losses that set in later than at the beginning."""
    losses = model_of(project).losses
    return [name for name, config in losses.items() if 'start' in (config.get('schedule') or {})]


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
@pytest.mark.parametrize('project', PROJECTS)
def test_trains_and_is_scored(
    project: str,
    precision: str,
    teacher_weights: Callable[[str], str],
    synthetic_root: Path,
    synthetic_infos: Path,
    tmp_path: Path,
) -> None:
    options = {'train_dataloader.batch_size': BATCH[precision], 'model.teacher_checkpoint': teacher_weights(project)}
    options |= {f'model.losses.{name}.schedule.start': 0.0 for name in scheduled(project)}
    cfg = tiny_config(twin(project), ITERATIONS[precision], synthetic_root, synthetic_infos, tmp_path, options)
    cfg.model.trust_teacher = True
    if precision == 'bfloat16':
        set_amp(cfg, precision)
        cfg.default_hooks.checkpoint.save_last = False  # The weights are float32 all the same.
    recorder = train(cfg)
    assert len(recorder.losses) == ITERATIONS[precision]
    assert all(map(math.isfinite, recorder.losses))
    for name in cfg.model.losses:
        assert any(entry.startswith(f'distill.{name}.') for entry in recorder.names), name
    if precision == 'float32':
        metrics = recorder.runner.test()
        assert 0 <= metrics['nuscenes/NDS'] <= 1
        assert 0 <= metrics['nuscenes/mAP'] <= 1
