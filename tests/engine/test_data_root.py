"""One data root for all loaders and metrics of a config."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from shipped_configs import ALL, REPO, load

from bevdistill.engine.config_file import read_config
from bevdistill.engine.data_root import PARTS, set_data_root
from bevdistill.engine.overrides import read_paths


@pytest.mark.parametrize('file', ALL[::9], ids=lambda file: file.stem)
def test_every_root_of_a_config_follows(file: Path, tmp_path: Path) -> None:
    cfg = Config(load(file).to_dict())
    set_data_root(cfg, tmp_path)
    found = [entry for entry in read_paths(cfg.to_dict()) if entry[0].endswith('data_root')]
    assert all(path.startswith(PARTS) for path, _ in found)
    roots = {value for _, value in found}
    assert roots == {f'{tmp_path}/'}


def test_paths_below_the_root_follow_and_others_stay(tmp_path: Path) -> None:
    pipeline = [dict(file='data/a/x')]
    dataset = dict(data_root='data/a', ann_file='data/a/infos.pkl', other='data/ab.pkl', pipeline=pipeline)
    cfg = Config(dict(train_dataloader=dict(dataset=dataset), val_dataloader=None))
    set_data_root(cfg, tmp_path)
    changed = cfg.train_dataloader.dataset
    assert (changed.data_root, changed.ann_file) == (f'{tmp_path}/', f'{tmp_path}/infos.pkl')
    assert (changed.other, changed.pipeline[0].file) == ('data/ab.pkl', f'{tmp_path}/x')


def test_overrides_come_after_it(tmp_path: Path) -> None:
    file = REPO / 'configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py'
    cfg = read_config(file, {'val_evaluator.data_root': 'own/'}, data_root=tmp_path)
    assert (cfg.val_evaluator.data_root, cfg.test_evaluator.data_root) == ('own/', f'{tmp_path}/')
    with pytest.raises(NotADirectoryError, match=r'--data-root: no folder .*absent'):
        read_config(file, data_root=tmp_path / 'absent')
    with pytest.raises(ValueError, match='has no data_root'):
        set_data_root(Config(dict(model={})), tmp_path)
