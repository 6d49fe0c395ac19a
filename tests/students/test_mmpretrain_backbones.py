"""mmpretrain's backbones without torchvision, and what is left behind where it is absent."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope

if find_spec('mmpretrain') is None:
    pytest.skip('mmpretrain is not installed', allow_module_level=True)

from bevdistill.students.mmpretrain_backbones import TORCHVISION, _import_backbones, placeholders


def test_absent_package_is_empty_inside_and_absent_afterwards() -> None:
    finders = list(sys.meta_path)
    with placeholders([name.replace('torchvision', 'no_such_vision') for name in TORCHVISION]) as empty:
        import no_such_vision.ops.boxes as boxes
        import no_such_vision.transforms.functional as functional
        from no_such_vision import transforms

        assert empty
        assert isinstance(boxes.nms, type)
        assert isinstance(functional.resize, type)
        assert transforms.functional is functional
        assert not hasattr(boxes, '__wrapped__')
    assert sys.meta_path == finders
    assert not [name for name in sys.modules if name.startswith('no_such_vision')]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('no_such_vision')


def test_broken_package_is_replaced_and_then_broken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / 'broken_vision'
    package.mkdir()
    (package / 'part.py').write_text('value = 1\n')
    (package / '__init__.py').write_text('from . import part\nraise RuntimeError("operator nms does not exist")\n')
    monkeypatch.syspath_prepend(tmp_path)
    with placeholders(['broken_vision', 'broken_vision.part']) as empty:
        import broken_vision.part as part

        assert empty
        assert isinstance(part.value, type)
    with pytest.raises(RuntimeError, match='nms does not exist'):
        importlib.import_module('broken_vision')


def test_package_that_imports_is_left_alone() -> None:
    with placeholders(['json']) as empty:
        assert not empty
        assert importlib.import_module('json').loads('1') == 1


def test_stand_in_ends_with_an_error_inside() -> None:
    with pytest.raises(KeyError), placeholders(['no_such_vision']):
        raise KeyError('x')
    assert 'no_such_vision' not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('no_such_vision')


def test_convnext_builds_and_trains() -> None:
    init_default_scope('mmdet3d')
    backbone = MODELS.build(dict(
        type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1], channels=[8, 16]), out_indices=(0, 1),
        gap_before_final_norm=False, with_cp=True,
    ))
    images = torch.randn(2, 3, 32, 64)
    outputs = backbone(images)
    assert [tuple(level.shape) for level in outputs] == [(2, 8, 8, 16), (2, 16, 4, 8)]
    sum(level.square().sum() for level in outputs).backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


def test_missing_mmpretrain_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'mmpretrain.models', None)
    with pytest.raises(ImportError, match=r"mmpretrain.*pip install 'bevdistill\[backbones\]'"):
        _import_backbones()
