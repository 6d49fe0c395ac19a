"""The shipped config that belongs to public weights, by their sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bevdistill.checkpoints.official.files import config_of

REPO = Path(__file__).resolve().parents[3]
BEV, DEEP = 'pts_bbox_head.bev_embedding.weight', 'img_backbone.layer3.22.conv1.weight'
PILLARS = 'pts_voxel_encoder.pfn_layers.0.linear.weight'


def student(side: int, deep: bool = False, prefix: str = '') -> dict[str, Tensor]:
    weights = {f'{prefix}{BEV}': torch.empty(side * side, 0)}
    return weights | ({f'{prefix}{DEEP}': torch.empty(0)} if deep else {})


@pytest.mark.parametrize(('kind', 'weights', 'name'), [
    ('bevformer', student(50), 'bevformer/bevformer_tiny_24e_released'),
    ('bevformer', student(150, deep=True), 'bevformer/bevformer_small_24e_released'),
    ('bevformer', student(200, deep=True), 'bevformer/bevformer_base_24e_released'),
    ('bevdistill-student', student(128), 'bevformer/bevformer-t_r50_2x_released'),
    ('distiller', student(128, prefix='student.'), 'bevdistill/bevdistill-t_r50_2x_released'),
    ('bevdistill-teacher', {}, 'object_dgcnn/teacher_voxel01_cbgs_20e'),
    ('object-dgcnn', {}, 'object_dgcnn/object-dgcnn_voxel01_20e'),
    ('object-dgcnn', {PILLARS: torch.empty(0)}, 'object_dgcnn/object-dgcnn_pillar02_20e'),
])  # fmt: skip
def test_public_sizes_have_their_config(kind: str, weights: dict[str, Tensor], name: str) -> None:
    assert config_of(weights, kind) == f'configs/{name}_nus-3d.py'
    assert (REPO / f'configs/{name}_nus-3d.py').is_file()


@pytest.mark.parametrize(('kind', 'weights'), [
    ('bevformer', student(50, deep=True)), ('bevformer', student(51)), ('bevformer', student(128)),
    ('distiller', student(128)), ('bevdistill-teacher', {PILLARS: torch.empty(0)}), ('bevformer', {}),
])  # fmt: skip
def test_other_sizes_have_none(kind: str, weights: dict[str, Tensor]) -> None:
    """Of a distiller's file the student's own names count, which begin with ``student.``."""
    assert config_of(weights, kind) is None
