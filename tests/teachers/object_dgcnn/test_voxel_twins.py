"""The CPU-sized twins of the voxel detectors: a CPU scores them, and says why it does not train them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from tiny_runs import tiny_config

from bevdistill.checkpoints import BOX_CONVENTION, META_KEY
from bevdistill.engine import UntrainableError, run_testing, run_training

from .model_configs import CONFIGS

pytest.importorskip('spconv', reason='spconv is not installed')
TWINS = ['object-dgcnn_voxel01_20e_nus-3d.py', 'teacher_voxel01_cbgs_20e_nus-3d.py']


@pytest.fixture(params=TWINS)
def twin(
    request: pytest.FixtureRequest,
    synthetic_root: Path,
    synthetic_infos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Config]:
    init_default_scope('mmdet3d')
    # A runner formats its config three times, which takes longer than the rest of these tests.
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: repr(cfg.to_dict())))
    file = CONFIGS / 'synthetic' / 'object_dgcnn' / request.param
    yield tiny_config(file, 2, synthetic_root, synthetic_infos, tmp_path)
    DefaultScope._instance_dict.clear()


def test_is_scored_on_a_cpu(twin: Config, tmp_path: Path) -> None:
    model = MODELS.build(twin.model)
    identity = dict(
        classes=list(twin.class_names),
        point_cloud_range=list(model.grid.point_cloud_range),
        box_convention=BOX_CONVENTION,
    )
    # As a converter writes it: a plain dict, which has lost the version of the kernels' layout.
    checkpoint = dict(meta={META_KEY: identity}, state_dict=dict(model.state_dict()))
    torch.save(checkpoint, tmp_path / 'weights.pth')
    metrics = run_testing(twin, str(tmp_path / 'weights.pth'))
    assert 0 <= metrics['nuscenes/NDS'] <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason='trains on CUDA')
def test_is_not_trained_on_a_cpu(twin: Config) -> None:
    with pytest.raises(UntrainableError, match=r'cannot be trained on a CPU.*configs/object_dgcnn/teacher_pillar02'):
        run_training(twin)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA: spconv has no backward pass on a CPU')
def test_trains_on_cuda(twin: Config) -> None:
    assert run_training(twin).iter == 2
