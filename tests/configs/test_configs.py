"""Every config loads, begins as a lab note, builds its model, and its CPU-sized twin differs in numbers only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import shipped_configs
from mmdet3d.datasets import NuScenesDataset
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import bevdistill  # noqa: F401
from bevdistill.datasets import build_stages
from bevdistill.distillers import TeacherCheckpoint

CONFIGS_ROOT = Path(__file__).resolve().parents[2] / 'configs'
CONFIGS = sorted(file for file in CONFIGS_ROOT.rglob('*.py') if '_base_' not in file.parts)
FULL_SCALE = [file for file in CONFIGS if 'synthetic' not in file.parts]
TWINS = [
    (twin, full)
    for full in FULL_SCALE
    if (twin := CONFIGS_ROOT / 'synthetic' / full.relative_to(CONFIGS_ROOT)).exists()
]
ROWS = (
    'bevformer/bevformer_r50_1x_nus-3d.py',
    'bevformer/bevformer-t_r50_2x_nus-3d.py',
    'bevformer/bevformer-t_r101-dcn_2x_nus-3d.py',
    'bevformer/bevformer_tiny_24e_nus-3d.py',
    'bevformer/bevformer_small_24e_nus-3d.py',
    'bevformer/bevformer_base_24e_nus-3d.py',
    'object_dgcnn/object-dgcnn_voxel01_20e_nus-3d.py',
    'object_dgcnn/object-dgcnn_pillar02_20e_nus-3d.py',
    'object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py',
    'object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py',
    'bevdistill/bevdistill_r50_1x_nus-3d.py',
    'bevdistill/bevdistill-t_r50_2x_nus-3d.py',
    'bevdistill/bevdistill-t_r101-dcn_2x_nus-3d.py',
    'bevdistill/bevdistill-t_convnext-b_trainval_nus-3d.py',
)
"""Names that people script against, each with a CPU-sized twin."""
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def name(file: Path) -> str:
    return str(file.relative_to(CONFIGS_ROOT))


def load(file: Path) -> Config:
    """The config; for reading only."""
    if 'convnext' in file.name:
        if find_spec('mmpretrain') is None:
            pytest.skip('mmpretrain is not installed')
        import_module('bevdistill.students.mmpretrain_backbones')  # custom imports are left out
    return shipped_configs.load(file)


def data_sets(cfg: Config) -> dict[str, Any]:
    """The innermost data set of each loader that there is."""
    found = {}
    for loader in LOADERS:
        if cfg[loader] is None:
            continue
        dataset = cfg[loader].dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        found[loader] = dataset
    return found


def test_rows_and_their_twins_are_there():
    assert set(ROWS) <= {name(file) for file in FULL_SCALE}
    assert {name(full) for _, full in TWINS} >= set(ROWS)


@pytest.mark.parametrize('file', CONFIGS, ids=name)
def test_begins_as_a_lab_note(file: Path):
    header = file.read_text().split('\n_base_')[0]
    for word in ('# Command', '# Hardware', '# Result'):
        assert word in header, f'{name(file)} has no line that begins with "{word}"'
    result = header[header.index('# Result') :]
    assert 'measured here' in result.lower() or 'from the paper' in result, f'{name(file)}: where is the result from?'


@pytest.mark.usefixtures('no_random_weights')
@pytest.mark.parametrize('file', CONFIGS, ids=name)
def test_builds(file: Path):
    cfg = load(file)
    init_default_scope(cfg.default_scope)
    model_cfg = cfg.model.to_dict()
    if cfg.model.type == 'BEVDistiller':
        model_cfg['teacher_checkpoint'] = 'teacher.pth'
    model = MODELS.build(model_cfg)
    assert model.num_classes == len(cfg.class_names)
    for dataset in data_sets(cfg).values():
        assert len(build_stages(dataset.pipeline)) > 1
        assert list(dataset.metainfo.classes) == list(cfg.class_names)
        if 'categories' not in dataset:
            # Public weights are converted to this order.
            assert list(dataset.metainfo.classes) == list(NuScenesDataset.METAINFO['classes'])


@pytest.mark.parametrize('file', CONFIGS, ids=name)
def test_students_with_history_get_their_frames(file: Path):
    cfg = load(file)
    student = cfg.model.get('student', cfg.model)
    if student.type != 'BEVFormer':
        return
    length = student.get('queue_length', 1)
    assert ('-t_' in file.name or '24e' in file.name) == (length > 1)
    data = data_sets(cfg)
    assert data['train_dataloader'].get('queue_length', 1) == length
    for loader in ('val_dataloader', 'test_dataloader'):
        if length > 1 and cfg[loader] is not None:
            assert cfg[loader].batch_sampler.type == 'SceneBatchSampler'
    released = {dataset.get('released_can_bus', False) for dataset in data.values()}
    assert released == {bool(student.pts_bbox_head.encoder.get('released_shift_both'))}


DISTILLERS = [f for f in CONFIGS if 'distill' in name(f) or ('ablations' in name(f) and 'baseline' not in f.name)]


@pytest.mark.parametrize('file', DISTILLERS, ids=name)
def test_distillers_want_a_teacher_checkpoint(file: Path):
    checkpoint = load(file).model.teacher_checkpoint
    assert checkpoint is None
    with pytest.raises(ValueError, match='needs teacher_checkpoint'):
        TeacherCheckpoint(checkpoint).existing()


def test_entry_for_the_test_server():
    cfg = load(CONFIGS_ROOT / 'bevdistill' / 'bevdistill-t_convnext-b_trainval_nus-3d.py')
    data = data_sets(cfg)
    assert {loader: dataset.ann_file for loader, dataset in data.items()} == {
        'train_dataloader': 'nuscenes_infos_trainval.msgpack.gz', 'test_dataloader': 'nuscenes_infos_test.msgpack.gz'
    }
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None
    assert cfg.test_evaluator.format_only
    assert cfg.test_evaluator.ann_file == 'nuscenes_infos_test.msgpack.gz'
    assert dict(data['test_dataloader'].modality) == dict(use_camera=True, use_lidar=False)


def types(config: object, path: str = '') -> Iterator[tuple[str, str]]:
    """All ``type`` entries of a config with their dotted path."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == 'type':
                yield path, str(value)
            else:
                yield from types(value, f'{path}.{key}')


TEACHER_ON_A_CPU = {
    '.teacher.pts_voxel_encoder': 'FlatPillarFeatureNet',
    '.teacher.pts_middle_encoder': 'PointPillarsScatter',
}
"""What the twin of a distiller swaps: a voxel teacher does not train on a CPU (synthetic/_base_/cpu_distiller.py)."""


def leaves(node: Any, path: str = '') -> dict[str, Any]:
    """Every entry of a config by its dotted key; lists are entries."""
    if not isinstance(node, dict):
        return {path: node}
    return {key: value for name, inner in node.items() for key, value in leaves(inner, f'{path}.{name}').items()}


def test_what_the_cpu_sized_config_of_bevdistill_computes_otherwise_is_in_the_table() -> None:
    """Beyond sizes of networks: entries of the losses, the start, the images."""
    table = (CONFIGS_ROOT / 'bevdistill' / 'README.md').read_text()
    file = Path('bevdistill') / 'bevdistill_r50_1x_nus-3d.py'
    small, large = (load(root / file).model.to_dict() for root in (CONFIGS_ROOT / 'synthetic', CONFIGS_ROOT))
    for model in (small, large):
        for part in ('student', 'teacher'):
            model.pop(part)
        for part in ('voxel_layer', 'voxel_type'):
            model['data_preprocessor'].pop(part)
    own, other = leaves(small), leaves(large)
    changed = {key for key in own.keys() | other.keys() if own.get(key) != other.get(key)}
    said = re.findall(r'^\| `([a-z_.]+)` \|', table, re.M)
    unsaid = [key for key in changed if 'critic' not in key and not any(key.startswith(f'.{entry}') for entry in said)]
    assert len(changed) > 6
    assert not unsaid
    # Nor does the table name what is the same, or is not there.
    assert all(any(f'.{entry}' in key for key in changed) for entry in said if entry.startswith('losses.'))


@pytest.mark.parametrize(('twin', 'full'), TWINS, ids=[name(twin) for twin, _ in TWINS])
def test_twins_run_the_same_code(twin: Path, full: Path):
    small, large = dict(types(load(twin).model)), dict(types(load(full).model))
    swapped = TEACHER_ON_A_CPU if load(full).model.type == 'BEVDistiller' else {}
    # Public weights fit no twin: it starts from random numbers.
    common = {path for path in small.keys() & large.keys() if not path.endswith('init_cfg')} - swapped.keys()
    assert len(common) >= 7
    assert {path: small[path] for path in common} == {path: large[path] for path in common}
    assert {path: small[path] for path in swapped} == swapped
