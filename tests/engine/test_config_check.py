"""Configs that cannot be meant are refused by name, and the shipped ones are not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from bevdistill.engine.config_check import check_config, check_halves, impossible, misspelt

REPO = Path(__file__).resolve().parents[2]
CONFIGS = (*REPO.glob('configs/**/*.py'), *REPO.glob('projects/*/configs/**/*.py'))
SHIPPED = sorted(path for path in CONFIGS if '_base_' not in path.parts)


def test_shipped_configs_pass() -> None:
    assert len(SHIPPED) > 50
    for path in SHIPPED[:: max(1, len(SHIPPED) // 12)]:
        check_config(Config.fromfile(str(path), import_custom_modules=False).to_dict(), str(path))


@pytest.mark.parametrize(('key', 'near'), [
    ('optim_wraper', 'optim_wrapper'), ('train_dataloder', 'train_dataloader'), ('default_hook', 'default_hooks'),
    ('test_evaluators', 'test_evaluator'), ('param_schedulers', 'param_scheduler'),
    ('optimizer_wrapper', 'optim_wrapper'), ('vizualizer', 'visualizer'),
    ('randomnes', 'randomness'), ('custom_import', 'custom_imports'), ('loadfrom', 'load_from'),
])  # fmt: skip
def test_a_misspelt_key_is_named_with_the_right_one(key: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"^a.py: {key}: expected '{near}', found a key that no run reads"):
        check_config({key: {}}, 'a.py')


def test_variables_keep_their_names() -> None:
    words = 'student point_cloud_range my_train_dataloader cpu_optim_wrapper test_modality models_used train_pipeline'
    assert list(misspelt(dict.fromkeys(words.split()))) == []


def test_keys_of_configs_before_mmengine() -> None:
    (found,) = misspelt({'model': {}, 'lr_config': {}})
    assert found == 'lr_config: no run reads this key of configs before mmengine; its content goes to param_scheduler'
    assert list(misspelt({'optim_wrapper': {}, 'optimizer': {}, 'data': {}})) == []


@pytest.mark.parametrize(('name', 'right', 'wrong'), [
    ('voxel_size', ([0.1, 0.1, 8], (1, 1, 1.0), None), ([0.1, 0, 8], [0.1], [-1, 1, 1], 'x', [True, 1, 1])),
    ('point_cloud_range', ([-1, -1, -1, 1, 1, 1],), ([-1, -1, 1, 1, 1, 1], [0] * 6, [-1], [-1] * 5 + [math.nan])),
    ('max_norm', (35, 0.1), (-35, 0, 'inf', float('nan'))),
    ('weight', (0, 0.25, 100), (-1, 'much', float('nan'))), ('patience', (0, 5), (-1, 2.5)),
    ('milestones', ([8, 11],), ([0], [1.5], 8)),
    ('lr', (2e-4, 0), (-1e-4, float('inf'), '1e-4')),
    ('batch_size', (1, 16), (0, -1, 1.5, True, 10**12)), ('allow_missing', ([], ['a.*']), ('a.*', [3], [''])),
    ('num_workers', (0, 4), (-1, 99_999_999)),
    ('interval', (1, -1), (0, -2, 0.5)),
    ('dropout', (0, 0.1), (1, -0.1)),
    ('weight_decay', (0, 0.01), (-0.01,)),
    ('betas', ((0.9, 0.99), [0, 0.5]), ((0.9,), (1.0, 0.9))),
    ('rows', (1, 200), (0, 7.5)),
    ('classes', (['car'], ('a b', 'ü'), []), ('car', ['car', 'car'], [1], [''])),
    ('cameras', (['left', 'right'],), ('CAM_FRONT', ['left', 'left'])),
    ('categories', ({}, None), (['car'], 'car')),
    ('seed', (0, 2**32 - 1), (2**32, -1)),
    ('log_level', ('INFO', 10), ('debug', 'LOUD')),
])  # fmt: skip
def test_values_that_cannot_be(name: str, right: tuple[Any, ...], wrong: tuple[Any, ...]) -> None:
    for value in right:
        assert list(impossible({'a': [{name: value}]}, '')) == []
    for value in wrong:
        (found,) = impossible({'a': [{name: value}]}, '')
        assert found.startswith(f'a.0.{name}: expected ') and found.endswith(f', found {value!r}')


@pytest.mark.parametrize(('key', 'right', 'wrong'), [
    ('model', ({}, None), ('student', [1])), ('custom_hooks', ([{}], []), ('hook', {}, ['hook'])),
    ('param_scheduler', ({}, [{}]), ('cosine', [1])), ('load_from', ('a.pth', None), (3,)),
])  # fmt: skip
def test_entries_of_another_kind(key: str, right: tuple[Any, ...], wrong: tuple[Any, ...]) -> None:
    for value in right:
        check_config({key: value}, 'a.py')
    for value in wrong:
        with pytest.raises(ValueError, match=rf'^a\.py: {key}: expected a?.*, found .*Correct'):
            check_config({key: value}, 'a.py')


def test_all_are_told_at_once() -> None:
    cfg = {'optim_wraper': {}, 'model': {'voxel_size': [0, 1, 1]}, 'train_dataloader': {'batch_size': 0}}
    with pytest.raises(ValueError, match=r'optim_wraper: .*; model.voxel_size: .*; train_.*size: .*Correct'):
        check_config(cfg, 'a.py')


def test_readers_of_mmdet3d_are_told_apart() -> None:
    for part, kind, ours in (
        ('test_evaluator', 'NuScenesMetric', 'BEVNuScenesMetric'),
        ('train_dataloader', 'mmdet3d.NuScenesDataset', 'SequenceNuScenesDataset'),
    ):
        entry = dict(dataset=dict(type=kind, ann_file='a.msgpack.gz'))
        with pytest.raises(ValueError, match=rf"{part}: type='{kind}' of mmdet3d cannot read .*; use type='{ours}'"):
            check_config({part: entry}, 'a.py')
        check_config({part: dict(type=kind, ann_file='a.pkl')}, 'a.py')


def test_a_validation_is_there_as_a_whole() -> None:
    whole = dict(val_cfg={}, val_dataloader={}, val_evaluator={}, test_cfg=None)
    check_halves(whole)
    for part in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        with pytest.raises(ValueError, match=rf'^val_cfg, .* found None for {part}; to do without: --cfg-options val'):
            check_halves({**whole, part: None})
