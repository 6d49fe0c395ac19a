"""What is loaded has to fit, and says so where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from torch import nn
from toy_run import RANGE, ToyDetector, build, toy_config

from bevdistill.checkpoints.identity_hook import RESUMED, require_counts, require_state


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, Any]:
    """The parts of a checkpoint that fits the toy config."""
    model = build(toy_config(tmp_path)).model
    identity = dict(classes=['car', 'truck'], point_cloud_range=list(RANGE), box_convention='mmdet3d>=1.0')
    return dict(state_dict=model.state_dict(), meta=dict(bevdistill=identity))


def load(checkpoint: dict[str, Any], folder: Path, **hook: Any) -> str:
    """Test the toy with a checkpoint; returns the log."""
    torch.save(checkpoint, folder / 'other.pth')
    cfg = toy_config(folder, **{f'default_hooks.checkpoint_identity.{key}': value for key, value in hook.items()})
    cfg.load_from = str(folder / 'other.pth')
    runner = build(cfg)
    assert 'toy/mean' in runner.test()
    return (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()


def test_fitting_checkpoint_loads(saved: dict[str, Any], tmp_path: Path) -> None:
    saved['state_dict'] = {f'module.{name}': weight for name, weight in saved['state_dict'].items()}
    assert 'does not say' not in load(saved, tmp_path)


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('classes', ['truck', 'car'], r"(?s)other\.pth.*has \['truck', 'car'\], this run has \['car', 'truck'\]"),
        ('point_cloud_range', [-25.6, -25.6, -5, 25.6, 25.6, 3], r'checkpoint has \[-25\.6, .* this run has \[-51\.2'),
        ('box_convention', 'mmdet3d<1.0', r'checkpoint has mmdet3d<1\.0, this run has mmdet3d>=1\.0'),
    ],
)
def test_other_identity_is_refused(saved: dict[str, Any], tmp_path: Path, field: str, value: Any, message: str) -> None:
    saved['meta']['bevdistill'][field] = value
    with pytest.raises(ValueError, match=message):
        load(saved, tmp_path)
    load(saved, tmp_path, ignore=[field])


def test_checkpoint_without_identity_is_pointed_out(saved: dict[str, Any], tmp_path: Path) -> None:
    del saved['meta']
    assert 'does not say which classes' in load(saved, tmp_path)


class BoxDetector(ToyDetector):
    """The toy with a weight that is named as a box head's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pts_bbox_head = nn.Module()
        self.pts_bbox_head.bev_embedding = nn.Embedding(2, 2)


MODELS.register_module(module=BoxDetector, force=True)


def load_boxes(folder: Path, meta: dict[str, Any], prefix: str = '', **hook: Any) -> str:
    """Test a detector with a box head with a file that another code wrote."""
    model = build(toy_config(folder, **{'model.type': 'BoxDetector'})).model
    weights = {prefix + name: weight for name, weight in model.state_dict().items()}
    torch.save(dict(state_dict=weights, meta=meta), folder / 'public.pth')
    options = {f'default_hooks.checkpoint_identity.{key}': value for key, value in hook.items()}
    cfg = toy_config(folder, **{'model.type': 'BoxDetector', **options})
    cfg.load_from = str(folder / 'public.pth')
    runner = build(cfg)
    runner.test()
    return (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()


def test_public_weights_must_be_converted(tmp_path: Path) -> None:
    command = r'convert_official\.py \S*public\.pth \S*public_converted\.pth --kind '
    for prefix, kind in (('', 'bevformer'), ('module.', 'bevformer'), ('student.', 'distiller')):
        with pytest.raises(ValueError, match=rf'(?s)cannot be loaded as it is.*{command}{kind}'):
            load_boxes(tmp_path, dict(mmdet3d_version='0.17.1', CLASSES=['car', 'truck']), prefix)
    load_boxes(tmp_path, dict(mmdet3d_version='0.17.1'), ignore=['box_convention'])


def test_files_of_todays_mmdet3d_are_pointed_out_only(tmp_path: Path) -> None:
    assert 'does not say which classes' in load_boxes(tmp_path, dict(mmengine_version='0.10.7'))


def test_missing_and_unexpected_weights_are_refused(saved: dict[str, Any], tmp_path: Path) -> None:
    weights = saved['state_dict']
    weights['heed.1.bias'] = weights.pop('head.1.bias')
    with pytest.raises(ValueError, match=r'(?s)1 weight missing .*: head\.1\.bias.*unknown .*: heed\.1\.bias'):
        load(saved, tmp_path)
    with pytest.raises(ValueError, match=r'does not fit the model:\n  1 weight of the file unknown'):
        load(saved, tmp_path, allow_missing=['head.*'])
    load(saved, tmp_path, allow_missing=['head.*'], allow_unexpected=['heed.*'])


def test_other_shapes_are_refused(saved: dict[str, Any], tmp_path: Path) -> None:
    saved['state_dict']['head.1.bias'] = torch.zeros(5)
    with pytest.raises(ValueError, match=r'1 weight of other shapes: head\.1\.bias \(5,\) in the file, \(\d,\) in'):
        load(saved, tmp_path)


def test_other_shapes_that_are_allowed_stay_as_at_the_start(saved: dict[str, Any], tmp_path: Path) -> None:
    saved['state_dict']['head.1.bias'] = torch.zeros(5)
    del saved['state_dict']['head.1.weight']
    cfg = toy_config(tmp_path, **{'default_hooks.checkpoint_identity.allow_missing': ['head.*']})
    torch.save(saved, tmp_path / 'other.pth')
    cfg.load_from = str(tmp_path / 'other.pth')
    runner = build(cfg)
    before = runner.model.state_dict()['head.1.bias'].clone()
    runner.test()
    assert torch.equal(runner.model.state_dict()['head.1.bias'], before)
    log = (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()
    assert '2 weights that' in log
    assert 'are as at the start: head.1.weight, head.1.bias' in log


def test_allowances_are_not_for_resumed_runs(saved: dict[str, Any], tmp_path: Path) -> None:
    del saved['state_dict']['head.1.bias']
    state = dict(meta=saved['meta'] | dict(epoch=1, iter=4), optimizer={}, message_hub={})
    torch.save(saved | state, tmp_path / 'other.pth')
    cfg = toy_config(tmp_path, **{'default_hooks.checkpoint_identity.allow_missing': ['head.*']})
    cfg.load_from, cfg.resume = str(tmp_path / 'other.pth'), True
    with pytest.raises(ValueError, match='1 weight missing'):
        build(cfg).train()


def test_number_of_classes_must_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"predicts 3 classes, the dataset has 2: \['car', 'truck'\]"):
        build(toy_config(tmp_path, **{'model.num_classes': 3})).train()


def test_datasets_must_agree(tmp_path: Path) -> None:
    cfg = toy_config(tmp_path, **{'val_dataloader.dataset.metainfo.classes': ['truck', 'car']})
    with pytest.raises(ValueError, match=r"train dataset has the classes \['car', 'truck'\], the val dataset has"):
        build(cfg).train()


@pytest.mark.parametrize(
    ('checkpoint', 'found'),
    [
        ([torch.zeros(1)], 'expected weights by name, found a list'),
        ({'state_dict': [1]}, 'found no tensor by name'),
        ({'meta': {}}, 'found no tensor by name'),
        ({'state_dict': {'a': 1}}, 'found no tensor by name'),
        ({'state_dict': {'a': torch.zeros(1)}}, 'none of meta.epoch, .*, optimizer. To begin .*load_from=x'),
        (
            {'state_dict': {'a': torch.zeros(1)}, 'meta': {'epoch': 1, 'iter': 2}, 'message_hub': {}},
            'expected the state of a training, found none of optimizer',
        ),
    ],
)
def test_what_is_no_checkpoint_or_cannot_be_resumed(checkpoint: Any, found: str) -> None:
    with pytest.raises(ValueError, match=f'^checkpoint x.pth.*({found})'):
        require_state(checkpoint, 'x.pth', RESUMED)
    require_state({'a': torch.zeros(1)}, 'x.pth', ())
    whole = {'meta': {'epoch': 1, 'iter': 2}, 'message_hub': {}, 'optimizer': {}}
    require_state({'state_dict': {'a': torch.zeros(1)}, **whole}, 'x.pth', RESUMED)


@pytest.mark.parametrize('value', ['one', -1, None, 2.5])
def test_a_resume_needs_numbers_of_iterations(value: object) -> None:
    require_counts(dict(epoch=0, iter=3), 'x.pth')
    with pytest.raises(ValueError, match=r'x\.pth cannot be resumed: meta\.iter: expected a whole number from 0 on'):
        require_counts(dict(epoch=0, iter=value), 'x.pth')
