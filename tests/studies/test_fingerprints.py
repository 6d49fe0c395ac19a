"""What a result depends on, entry by entry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mmengine.config import Config

from bevdistill.studies.fingerprints import (
    code_parts,
    code_version,
    config_parts,
    data_parts,
    differences,
    digest,
    entries,
    file_digest,
    folder_parts,
    load_config,
    machine,
    project_folders,
)

CONFIG = 'configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py'


def test_all_entries_of_a_config_by_dotted_key() -> None:
    tree = dict(model=dict(a=1, b=[dict(c='x'), 2.0], empty={}), work_dir='here', resume=True, load_from='a.pth')
    parts = config_parts(Config(tree))
    assert parts == {'model.a': '1', 'model.b.0.c': "'x'", 'model.b.1': '2.0', 'model.empty': '{}'}
    assert config_parts(Config(dict(a=(1, 2), b=[], c=()))) == {'a.0': '1', 'a.1': '2', 'b': '[]', 'c': '[]'}


def test_entries_of_some_loaders() -> None:
    parts = {
        'train_dataloader.dataset.dataset.data_root': "'a'", 'test_dataloader.dataset.data_root': "'b'",
        'train_dataloader.dataset.metadata_root': "'c'", 'data_root': "'d'", 'train_evaluator.data_root': "'e'",
    }  # fmt: skip
    found = entries(parts, 'data_root', ['train_dataloader', 'train_evaluator'])
    assert list(found.values()) == ["'a'", "'e'"]


def test_a_config_is_loaded_with_its_overrides() -> None:
    cfg = load_config(CONFIG, ('train_cfg.max_iters=7',))
    assert cfg.train_cfg.max_iters == 7
    with pytest.raises(ValueError, match='cannot override'):
        load_config(CONFIG, ('train_cfg.max_iter=7',))


def test_code_is_what_a_training_runs() -> None:
    parts = code_parts(['projects/fitnet'])
    rooms = {name.split('/')[1] for name in parts if name.startswith('bevdistill/')}
    assert {'losses', 'students', 'engine', 'datasets'} <= rooms
    assert not rooms & {'synthetic', 'visualization', 'studies'}
    assert 'bevdistill/cli/train.py' in parts
    assert 'bevdistill/cli/study.py' not in parts
    assert all(len(value) == 64 for value in parts.values())


def test_folders_without_their_configs(tmp_path: Path) -> None:
    for name in ('a.py', 'configs/b.py', 'deep/c.py', 'note.md'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = folder_parts([str(tmp_path)])
    assert sorted(os.path.basename(name) for name in found) == ['a.py', 'c.py']
    assert project_folders(['bevdistill', 'projects.a', 'projects.a.b', 'projects.c']) == ['projects/a', 'projects/c']


def test_data_is_what_describes_it(tmp_path: Path) -> None:
    (tmp_path / 'synthetic.json').write_text('{}')
    (tmp_path / 'train.pkl').write_text('train')
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    (elsewhere / 'val.pkl').write_text('val')
    parts = data_parts(tmp_path, ['train.pkl', str(elsewhere / 'val.pkl'), 'folder/train.pkl'])
    assert parts.keys() == {'synthetic.json', 'train.pkl', 'val.pkl'}
    assert parts['train.pkl'] == file_digest(tmp_path / 'train.pkl')
    with pytest.raises(FileNotFoundError, match=r'no information file .*none\.pkl; write it with: bevdistill'):
        data_parts(tmp_path, ['none.pkl'])


def test_a_file_that_changes_has_another_digest(tmp_path: Path) -> None:
    file = tmp_path / 'a'
    file.write_text('one')
    before = file_digest(file)
    file.write_text('two')
    os.utime(file, ns=(1, 1))
    assert file_digest(file) != before
    assert digest(dict(a=1, b=2)) == digest(dict(b=2, a=1)) != digest(dict(a=1, b=3))


def test_differences_are_named() -> None:
    old, new = dict(a='1', b='2', gone='x' * 64), dict(a='1', b='3', new='y')
    assert differences(old, new) == 'b 2 -> 3, gone xxxxxxxx -> absent, new absent -> y'
    assert differences(old, dict(old)) == ''
    many = {str(number): 'a' for number in range(9)}
    assert differences(many, {}).endswith('3 a -> absent and 5 more')


def test_versions_and_commit() -> None:
    assert machine().keys() == {'host', 'cores', 'python', 'torch', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d'}
    assert code_version().keys() == {'commit', 'dirty'}
