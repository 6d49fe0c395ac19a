"""A model that cannot be trained here says so before data is read."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from bevdistill.engine import UntrainableError, check_trainable
from bevdistill.engine.launch import load_config, run_training
from bevdistill.engine.trainable import check_loop

VOXELS = Path(__file__).resolve().parents[2] / 'configs/synthetic/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py'


class Picky(nn.Module):
    def check_trainable(self) -> None:
        raise ValueError('not here; elsewhere')


def test_every_part_is_asked() -> None:
    check_trainable(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(UntrainableError, match='not here; elsewhere'):
        check_trainable(nn.Sequential(nn.Linear(2, 2), nn.Sequential(Picky())))


def test_a_part_kept_aside_is_not_asked() -> None:
    model = nn.Linear(2, 2)
    model.__dict__['teacher'] = Picky()
    check_trainable(model)


@pytest.mark.skipif(torch.cuda.is_available(), reason='the voxel teacher trains on CUDA')
def test_a_voxel_teacher_is_refused_before_its_data_is_read(tmp_path: Path) -> None:
    pytest.importorskip('spconv', reason='spconv is not installed')
    cfg = load_config(VOXELS, work_dir=tmp_path)
    cfg.train_dataloader.dataset.dataset.dataset.data_root = str(tmp_path / 'nowhere')
    try:
        with pytest.raises(UntrainableError, match=r'cannot be trained on a CPU.*teacher_pillar02_cbgs'):
            run_training(cfg)
    finally:
        DefaultScope._instance_dict.clear()


@pytest.mark.parametrize(
    ('loop', 'infinite', 'message'),
    [
        (dict(by_epoch=True, max_epochs=2), True, r'sampler\.infinite=True never ends one.*train_cfg\.max_iters'),
        (dict(by_epoch=True, max_iters=2), False, r"wants max_epochs alone, but train_cfg has \['max_iters'\]"),
        (dict(by_epoch=False, max_epochs=2, max_iters=2), True, r"wants max_iters alone"),
        (dict(by_epoch=True, max_epochs=2), False, None),
        (dict(by_epoch=False, max_iters=2), True, None),
        (dict(type='IterBasedTrainLoop', max_iters=2), True, None),
    ],
)  # fmt: skip
def test_what_is_counted_ends(loop: dict[str, Any], infinite: bool, message: str | None) -> None:
    cfg = Config(dict(train_cfg=loop, train_dataloader=dict(sampler=dict(infinite=infinite))))
    with nullcontext() if message is None else pytest.raises(UntrainableError, match=message):
        check_loop(cfg)
