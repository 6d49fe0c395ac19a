"""One line about the optimizer, custom keys that reach something, and mixed precision without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn
from toy_run import build, toy_config

from bevdistill.engine.optim import joined_groups, summary


class Model(nn.Module):
    """3 x 4 and 4 numbers in the backbone, of which the 4 are frozen, and 8 in the head."""

    def __init__(self) -> None:
        super().__init__()
        self.img_backbone = nn.Linear(3, 4)
        self.img_backbone.bias.requires_grad_(False)
        self.head = nn.Linear(4, 2, bias=False)


def config(**custom_keys: dict[str, float]) -> ConfigDict:
    return ConfigDict(
        dict(
            constructor='SummaryOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
            paramwise_cfg=dict(custom_keys=custom_keys),
        )
    )


def test_counts_by_rate_and_decay() -> None:
    init_default_scope('mmdet3d')
    model = Model()
    wrapper = build_optim_wrapper(model, config(img_backbone=dict(lr_mult=0.1), head=dict(decay_mult=0.0)))
    assert summary(wrapper.optimizer, model) == (
        'AdamW: 12 numbers in 1 tensor at lr 2e-05, weight decay 0.01; '
        '8 numbers in 1 tensor at lr 0.0002, weight decay 0; 4 frozen'
    )
    linear = nn.Linear(2, 2)
    plain = torch.optim.SGD(linear.parameters(), lr=1.0)
    assert summary(plain, linear) == 'SGD: 6 numbers in 2 tensors at lr 1, weight decay 0'


def test_groups_of_equal_settings_are_joined_and_keep_their_order() -> None:
    groups = [dict(params=[0]), dict(params=[1, 2]), dict(params=[3], lr=1.0), dict(params=[4], lr=1.0),
              dict(params=[5], lr=2.0), dict(params=[6])]  # fmt: skip
    assert joined_groups(groups) == [
        dict(params=[0, 1, 2]), dict(params=[3, 4], lr=1.0), dict(params=[5], lr=2.0), dict(params=[6])
    ]  # fmt: skip
    assert groups[0] == dict(params=[0]) and joined_groups([]) == []


def test_keys_that_match_nothing_are_an_error() -> None:
    init_default_scope('mmdet3d')
    with pytest.raises(ValueError, match=r"\['SECOND'\], which no parameter has .* \['head\.weight', 'img_backbone"):
        build_optim_wrapper(Model(), config(SECOND=dict(lr_mult=0.1), head=dict(lr_mult=2.0)))


def test_bfloat16_on_any_device_with_float32_weights() -> None:
    init_default_scope('mmdet3d')
    model = Model()
    wrapper = build_optim_wrapper(model, ConfigDict(config(), type='Bfloat16OptimWrapper', accumulative_counts=2))
    before = model.head.weight.detach().clone()
    for step in range(2):
        with wrapper.optim_context(model):
            seen = model.head(model.img_backbone(torch.ones(2, 3)))
            assert seen.dtype == torch.bfloat16
        wrapper.update_params(seen.float().sum())
        assert torch.equal(model.head.weight, before) == (step == 0)
    assert model.head.weight.dtype == torch.float32


def test_the_log_of_a_run_has_one_line(tmp_path: Path) -> None:
    runner = build(toy_config(tmp_path))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'paramwise_options' not in log
    assert log.count('AdamW: 16 numbers in 2 tensors at lr 2e-05, weight decay 0.01; 18 numbers in') == 1
    runner.logger.info('paramwise_options -- of another constructor')
    assert 'paramwise_options' in next((tmp_path / 'run').glob('*/*.log')).read_text()
