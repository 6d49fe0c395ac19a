"""Models of the shipped configs, at full scale and small enough for a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'


def _model(name: str) -> dict[str, Any]:
    return Config.fromfile(str(CONFIGS / name)).model.to_dict()


def pillar02() -> dict[str, Any]:
    return _model('object_dgcnn/object-dgcnn_pillar02_20e_nus-3d.py')


def cpu_demo() -> dict[str, Any]:
    return _model('synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py')


def voxel01() -> dict[str, Any]:
    return _model('object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py')


def teacher_voxel01() -> dict[str, Any]:
    return _model('object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py')


def cpu_pillar02() -> dict[str, Any]:
    return _model('synthetic/object_dgcnn/object-dgcnn_pillar02_20e_nus-3d.py')


def cpu_voxel01() -> dict[str, Any]:
    return _model('synthetic/object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py')


def cpu_teacher_voxel01() -> dict[str, Any]:
    return _model('synthetic/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py')


def distiller_on_voxels() -> dict[str, Any]:
    """The CPU-sized distiller with the voxel teacher in place of its pillar teacher."""
    distiller, teacher = _model('synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py'), cpu_teacher_voxel01()
    voxels = teacher.pop('data_preprocessor')
    distiller['data_preprocessor'].update(voxel_type=voxels['voxel_type'], voxel_layer=voxels['voxel_layer'])
    return distiller | dict(teacher=teacher, class_names=None, init_from_teacher=False)
