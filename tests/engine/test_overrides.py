"""Overrides that would change nothing are refused."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from bevdistill.engine.overrides import RUNNER_ARGUMENTS, apply_overrides, parse_overrides

REPO = Path(__file__).resolve().parents[2]
BASE = """
data_root = 'data/nuscenes/'
max_epochs = 24
classes = ['car', 'truck']
root = 'data/'
notes = 'data/nuscenes/'
small_losses = dict(bev=dict(weight=1.0))
train_set = dict(batch_size=24)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-4))
param_scheduler = [dict(type='LinearLR', end=500), dict(type='CosineAnnealingLR')]
train_dataloader = dict(batch_size=24, dataset=dict(data_root=data_root, ann=data_root + 't.pkl'))
"""
CONFIG = """
_base_ = './base.py'
losses = dict(bev=dict(weight=1.0), instance=dict(weight=2.0), plain=dict(type='P'))
model = dict(type='D', losses=losses, grid=[1, 2], neck=None)
train_cfg = dict(max_epochs=_base_.max_epochs)
val_evaluator = dict(classes={{_base_.classes}}, all=True)
custom_hooks = []
"""


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'config.py').write_text(CONFIG)
    return Config.fromfile(str(tmp_path / 'config.py'))


def test_known_keys_change(cfg: Config) -> None:
    words = ['model.losses.bev.weight=2.5', 'param_scheduler.0.end=50', 'model.grid=[3,4]', 'model.neck=None']
    apply_overrides(cfg, parse_overrides([*words, 'train_dataloader.dataset.data_root=/data/x']))
    assert cfg.model.losses.bev.weight == 2.5
    assert cfg.param_scheduler[0].end == 50
    assert cfg.param_scheduler[1].type == 'CosineAnnealingLR'
    assert cfg.model.grid == [3, 4]
    assert cfg.train_dataloader.dataset.data_root == '/data/x'


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('model.losses.bve', 1, r"no key 'model\.losses\.bve'; did you mean 'model\.losses\.bev'\?"),
        ('model.losses.bve.weight', 1, r"no key 'model\.losses\.bve\.weight'; .* 'model\.losses\.bev\.weight'"),
        ('optimizer.lr', 1, r"no key 'optimizer\.lr'; did you mean 'optim_wrapper\.optimizer\.lr'"),
        ('data.samples_per_gpu', 2, 'configs before mmengine; its content goes to train_dataloader.batch_size$'),
        ('runner.max_iters', 2, 'configs before mmengine; its content goes to train_cfg$'),
        ('modle.type', 'E', r"did you mean 'model\.type'"),
        ('model.zzzzz', 1, r"'model' has the keys \['grid', 'losses', 'neck', 'type'\]; write '\+model\.zzzzz=\.\.\.'"),
        ('qqqqq', 1, r"no key 'qqqqq'; a run reads \['custom_hooks', 'model', 'optim_wrapper', .*'val_evaluator'\]"),
        ('param_scheduler.2.end', 1, r"'param_scheduler' is a list, write an index from 0 to 1"),
        ('param_scheduler.end', 1, r"'param_scheduler' is a list, write an index from 0 to 1"),
        ('model.type.name', 1, r"'model\.type' is 'D', it holds no keys"),
        ('model.losses', 3, r"'model\.losses' is a dict with the keys \['bev', 'instance', 'plain'\]"),
        ('model.grid', 3, r"'model\.grid' is a list; write 'model\.grid=\[3\]'"),
        ('+model.losses.bev.weight', 1, r"'model\.losses\.bev\.weight' exists already; leave out the '\+'"),
        ('+model.type.name', 1, r"it holds no keys|cannot add"),
        ('data_root', '/x', r"'data_root' is a variable .* where it went: train_dataloader\.dataset\.data_root"),
        ('max_epochs', 2, r"'max_epochs' is a variable .* train_cfg\.max_epochs$"),
        ('classes', ['bus'], r"'classes' is a variable .* where it went: val_evaluator\.classes$"),
        ('root', '/x', r'where it went: train_dataloader\.dataset\.data_root, .*All at once: --data-root DIR$'),
        ('small_losses.bev.weight', 2, r'where it went: model\.losses\.bev\.weight$'),
        ('train_set.batch_size', 2, r'where it went: train_dataloader\.batch_size$'),
        ('notes', 'mine', r"'notes' is a variable .* where it went"),
        ('lr', 0.1, r"no key 'lr'; did you mean 'optim_wrapper\.optimizer\.lr'\?$"),
        ('bev.weight', 0.1, r"did you mean 'model\.losses\.bev\.weight'\?$"),
        ('train_cfg.max_iters', 3, r"counts epochs: 'train_cfg\.max_epochs'"),
        ('launcher', 'slurm', r'give --launcher'),
        ('+mine', 1, r"no key 'mine'; a run reads \['custom_hooks', 'model', "),
        ('model.losses', dict(bve=dict(weight=1)), r"no key 'model\.losses\.bve'"),
        ('model.losses.bve.weight', 0, r"did you mean 'model\.losses\.bev\.weight'\? Write '\+model\.losses\.bve\."),
        ('model.lossse._delete_', True, r"did you mean 'model\.losses'"),
        ('param_scheduler[1].end', 1, r"write list entries as in 'param_scheduler\.1\.end'"),
        ('custom_hooks.0.type', 'E', r"'custom_hooks' is an empty list; write 'custom_hooks=\[\.\.\.\]'"),
        ('custom_hooks', dict(type='E'), r"'custom_hooks' is a list; write 'custom_hooks=\[dict\(\.\.\.\)\]'"),
        ('custom_hooks', {0: 1}, r"'custom_hooks' is a list"),
        ('val_evaluator.all', 'no', r"'val_evaluator\.all' is True; expected True or False, found 'no'$"),
        ('val_evaluator.all', 2, r"'val_evaluator\.all' is True; expected True or False, found 2$"),
        ('train_cfg.max_epochs', 'ten', r"is 24; expected a number, found the text 'ten'$"),
        ('model.neck', 'none', r"would be the text 'none'; write model\.neck=None$"),
        ('model.losses.bev', 'null', r"write model\.losses\.bev=None$"),
        ('model.weight', 3, r"did you mean 'model\.losses\.bev\.weight' or 'model\.losses\.instance\.weight'\?$"),
    ],
)
def test_mistakes_are_refused(cfg: Config, key: str, value: Any, message: str) -> None:
    before = cfg.to_dict()
    with pytest.raises(ValueError, match=message):
        apply_overrides(cfg, {key: value})
    assert cfg.to_dict() == before


def test_what_runs_take_without_a_plus(cfg: Config) -> None:
    apply_overrides(cfg, parse_overrides(['work_dir=runs/2026', 'experiment_name=2026_11_30', 'val_evaluator.all=0']))
    assert (cfg.work_dir, cfg.experiment_name, cfg.val_evaluator.all) == ('runs/2026', '2026_11_30', 0)


@pytest.mark.parametrize('word', ['model..type=3', '.model=3', 'model.=3', '+=3'])
def test_a_key_has_no_empty_part(word: str) -> None:
    with pytest.raises(ValueError, match='write key=value'):
        parse_overrides([word])


def test_all_mistakes_are_reported_at_once(cfg: Config) -> None:
    with pytest.raises(ValueError, match=r"(?s)losses\.bve.*max_epohcs"):
        apply_overrides(cfg, {'model.losses.bve': 1, 'train_cfg.max_epohcs': 2})


def test_plus_adds_new_keys(cfg: Config) -> None:
    apply_overrides(cfg, parse_overrides(['+find_unused_parameters=True', '+model.losses.extra.weight=1']))
    assert cfg.find_unused_parameters is True
    assert cfg.model.losses.extra.weight == 1
    assert cfg.model.losses.bev.weight == 1.0


def test_delete_allows_new_keys_below(cfg: Config) -> None:
    words = ['optim_wrapper.optimizer._delete_=True', 'optim_wrapper.optimizer.type=SGD']
    apply_overrides(cfg, parse_overrides([*words, 'optim_wrapper.optimizer.momentum=0.9']))
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', momentum=0.9)


def test_a_loss_is_removed_and_weighed_where_the_config_does_not(cfg: Config) -> None:
    apply_overrides(cfg, parse_overrides(['model.losses.bev=None', 'model.losses.plain.weight=0']))
    assert cfg.model.losses.bev is None
    assert cfg.model.losses.plain == dict(type='P', weight=0)


def test_a_distillers_student_has_a_checkpoint_where_its_teacher_has_one(cfg: Config) -> None:
    with pytest.raises(ValueError, match=r"no key 'model\.student_checkpoint'"):
        apply_overrides(cfg, {'model.student_checkpoint': 'a.pth'})
    cfg.model.teacher_checkpoint = None
    apply_overrides(cfg, {'model.student_checkpoint': 'a.pth'})
    assert cfg.model.student_checkpoint == 'a.pth'


def test_a_dict_takes_the_place_of_none(cfg: Config) -> None:
    apply_overrides(cfg, parse_overrides(["model.neck=dict(type='N')", '+model.new=dict(a=1)']))
    assert (cfg.model.neck, cfg.model.new) == (dict(type='N'), dict(a=1))


def test_lists_of_dicts(cfg: Config) -> None:
    words = ["param_scheduler=[dict(type='A', end=5)]", "+visualizer.back=[dict(type='T')]"]
    apply_overrides(cfg, parse_overrides(words))
    assert cfg.param_scheduler[0].end == 5
    assert cfg.visualizer.back == [dict(type='T')]


def test_the_arguments_of_the_runner_are_those_of_mmengine() -> None:
    from mmengine.runner import Runner

    assert set(RUNNER_ARGUMENTS) == set(inspect.signature(Runner.__init__).parameters) - {'self'}


def test_needs_no_torch() -> None:
    code = 'import sys, bevdistill.engine.config_file; print("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout == 'False\n'


@pytest.mark.parametrize('word', ['model.type', '=3'])
def test_words_without_key_or_value(word: str) -> None:
    with pytest.raises(ValueError, match='write key=value'):
        parse_overrides([word])
