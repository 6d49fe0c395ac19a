"""Information files of the synthetic root are those of mmdet3d's own converter."""

from __future__ import annotations

import importlib.util
import pickle
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import mmdet3d
import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes

from bevdistill.datasets.infos import TEMPORAL_FIELDS
from bevdistill.datasets.infos import read_infos as load
from bevdistill.datasets.infos.convert import convert_infos

CONVERTERS = Path(mmdet3d.__file__).parent / '.mim' / 'tools' / 'dataset_converters'


def converter(name: str) -> ModuleType:
    path = CONVERTERS / f'{name}.py'
    if not path.exists():
        pytest.skip(f'this mmdet3d was installed without its tools ({name}.py)')
    spec = importlib.util.spec_from_file_location(f'mmdet3d_{name}', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(ours: Any, theirs: Any, where: str) -> None:
    if isinstance(theirs, dict):
        assert set(ours) - set(theirs) == set(), where
        assert set(theirs) - set(ours) == set(), where
        for key in theirs:
            assert_same(ours[key], theirs[key], f'{where}/{key}')
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f'{where}/{i}')
    elif isinstance(theirs, float):
        # mmdet3d projects centres in float32, all else differs by the order of the arithmetic.
        atol = 1e-3 if '/center_2d' in where else 2e-6
        assert abs(ours - theirs) <= atol + 1e-6 * abs(theirs) or (ours != ours and theirs != theirs), where
    else:
        assert ours == theirs, where


@pytest.fixture(scope='module')
def old(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of files in the layout of mmdet3d before 1.1."""
    out = tmp_path_factory.mktemp('mmdet3d')
    converter('nuscenes_converter').create_nuscenes_infos(str(synthetic_root), str(out / 'old'), 'v1.0-mini')
    return out


@pytest.fixture(scope='module')
def theirs(synthetic_root: Path, old: Path) -> dict[str, Any]:
    """What mmdet3d's two converter scripts write, by split."""
    out = old
    update = converter('update_infos_to_v2')
    # The script opens ./data/nuscenes whatever it is told.
    update.NuScenes = lambda version, dataroot, verbose: NuScenes(version, str(synthetic_root), verbose=False)
    (out / 'v2').mkdir()
    for split in ('train', 'val'):
        update.update_nuscenes_infos(str(out / f'old_infos_{split}.pkl'), str(out / 'v2'))
    return {split: load(out / 'v2' / f'old_infos_{split}.pkl') for split in ('train', 'val')}


@pytest.mark.parametrize('split', ['train', 'val'])
def test_equals_mmdet3ds_converter_field_by_field(
    synthetic_root: Path, synthetic_infos: Path, theirs: dict[str, Any], split: str
) -> None:
    ours = load(synthetic_infos / f'nuscenes_infos_{split}.msgpack.gz')
    assert_same(ours['metainfo'], theirs[split]['metainfo'], 'metainfo')
    assert len(ours['data_list']) == len(theirs[split]['data_list']) > 0
    by_token = {record['token']: record for record in theirs[split]['data_list']}
    for position, record in enumerate(ours['data_list']):
        assert record['sample_idx'] == position
        other = by_token[record['token']]
        own = {key: value for key, value in record.items() if key not in TEMPORAL_FIELDS}
        own['sample_idx'] = other['sample_idx']  # theirs counts in the order of the sample table
        own['instances'] = [{k: v for k, v in box.items() if k != 'category'} for box in own['instances']]
        for sweep in other.get('lidar_sweeps', []):
            path = Path(sweep['lidar_points']['lidar_path'])
            sweep['lidar_points']['lidar_path'] = str(path.resolve().relative_to(synthetic_root.resolve()))
        assert_same(own, other, record['token'])


@pytest.mark.parametrize('before_1_0', [True, False])
def test_files_of_other_projects_are_converted_to_our_own(
    synthetic_infos: Path, old: Path, tmp_path: Path, before_1_0: bool
) -> None:
    """BEVFormer adds scenes and CAN bus to mmdet3d's old layout and has its old boxes, BEVDet has new ones."""
    ours = load(synthetic_infos / 'nuscenes_infos_val.msgpack.gz')
    content = pickle.loads((old / 'old_infos_val.pkl').read_bytes())
    by_token = {record['token']: record for record in ours['data_list']}
    for info in content['infos']:
        info.update({key: by_token[info['token']][key] for key in ('scene_token', 'can_bus')})
        if before_1_0:
            boxes = info['gt_boxes'] = info['gt_boxes'][:, [0, 1, 2, 4, 3, 5, 6]]
            boxes[:, 6] = -boxes[:, 6] - np.pi / 2
    random.Random(0).shuffle(content['infos'])
    (tmp_path / 'other.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r"BEVFormer's layout .*bevdistill data convert .*other.pkl OUT.msgpack.gz"):
        load(tmp_path / 'other.pkl')
    converted = load(str(convert_infos(tmp_path / 'other.pkl', tmp_path / 'ours.msgpack.gz')))
    assert converted['metainfo'] == ours['metainfo']
    for record, own in zip(converted['data_list'], ours['data_list'], strict=True):
        expected = {key: value for key, value in own.items() if key != 'cam_instances'}
        expected['instances'] = [{k: v for k, v in box.items() if k != 'category'} for box in own['instances']]
        for box, other in zip(record['instances'], expected['instances'], strict=True):
            turn = (box['bbox_3d'][6] - other['bbox_3d'][6]) / (2 * np.pi)
            assert turn == pytest.approx(round(turn), abs=1e-6)
            box['bbox_3d'][6] = other['bbox_3d'][6]
        assert_same(record, expected, record['token'])
    del content['infos'][0]['scene_token']
    (tmp_path / 'other.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(FileExistsError, match=r'ours.msgpack.gz exists; name another file'):
        convert_infos(tmp_path / 'other.pkl', tmp_path / 'ours.msgpack.gz')
    with pytest.raises(ValueError, match='lacks scene_token, which cannot be derived'):
        convert_infos(tmp_path / 'other.pkl', tmp_path / 'another.msgpack.gz')
