"""Multiply-adds counted by hand, operator by operator and module by module."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torch.nn import functional

import bevdistill  # noqa: F401
from bevdistill.apis.flops import ModuleFlops, count_flops, sparse_parts, unknown_kernels
from bevdistill.apis.made_up_sensors import MadeUpSensors
from bevdistill.layers import DeformableConvolution, FeatureLevels, sample_deformable
from bevdistill.layers.sampling.host import HostSampling

STUDENT = Path(__file__).resolve().parents[2] / 'configs/synthetic/bevformer/bevformer-t_r50_2x_nus-3d.py'


def counted(model: nn.Module, *inputs: torch.Tensor) -> dict[str, int]:
    root = nn.ModuleDict(dict(model=model)).eval()
    with torch.no_grad(), ModuleFlops(root) as flops:
        root['model'](*inputs)
    assert flops.by_module[''] == flops.by_module['model']
    return {name.removeprefix('model').removeprefix('.'): count for name, count in flops.by_module.items()}


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


MAP = torch.zeros(2, 8, 5, 7)
CELLS = 2 * 8 * 5 * 7


@pytest.mark.parametrize(('model', 'inputs', 'count'), [
    (nn.Linear(3, 4), (torch.zeros(2, 6, 3),), 2 * 6 * 3 * 4),
    (nn.Linear(3, 4, bias=False), (torch.zeros(2, 6, 3),), 2 * 6 * 3 * 4),
    (nn.Conv2d(8, 6, 3, padding=1, groups=2), (MAP,), 2 * 5 * 7 * 6 * 4 * 9),
    (nn.ConvTranspose2d(8, 6, 2, stride=2), (MAP,), CELLS * 6 * 4),
    (nn.MultiheadAttention(8, 2), (torch.zeros(3, 2, 8),) * 3, 4 * 2 * 3 * 8 * 8 + 2 * 2 * 3 * 3 * 8),
    # As mmengine has it: twice an element for a batch norm whose statistics are fixed, 5 times for other norms.
    (nn.BatchNorm2d(8), (MAP,), 2 * CELLS),
    (nn.LayerNorm(7), (MAP,), 5 * CELLS),
    (nn.GroupNorm(2, 8), (MAP,), 5 * CELLS),
    (nn.AdaptiveAvgPool2d(2), (MAP,), CELLS),
    (nn.Upsample(scale_factor=2), (MAP,), 4 * CELLS),
    (nn.Upsample(scale_factor=2, mode='bilinear'), (MAP,), 4 * 4 * CELLS),
    (Function(functional.grid_sample), (MAP, torch.zeros(2, 4, 3, 2)), 4 * 2 * 8 * 4 * 3),
    (Function(lambda image: (image * 2 + 1).relu().sum(1)), (MAP,), 0),
])  # fmt: skip
def test_operators_by_hand(model: nn.Module, inputs: tuple[torch.Tensor, ...], count: int) -> None:
    assert counted(model, *inputs).get('', 0) == count


def test_deformable_convolutions_count_as_plain_ones_and_what_they_sample() -> None:
    product = 2 * 5 * 7 * 6 * 4 * 9
    image = torch.zeros(2, 4, 5, 7)
    assert counted(nn.Conv2d(4, 6, 3, padding=1), image)[''] == product
    # It also has a plain convolution to 27 channels for offsets and mask.
    sampled = 4 * 2 * 5 * 7 * 9 * 4
    found = counted(DeformableConvolution(4, 6, 3, padding=1), image)['']
    assert found == product + 2 * 5 * 7 * 27 * 4 * 9 + sampled


def test_sampling_counts_four_cells_a_sample_and_channel() -> None:
    def sample(value: torch.Tensor) -> torch.Tensor:
        locations, weights = torch.rand(2, 7, 3, 1, 4, 2), torch.rand(2, 7, 3, 1, 4)
        return sample_deformable(value, FeatureLevels.of([(4, 5)]), locations, weights)

    assert counted(Function(sample), torch.zeros(2, 20, 3, 8))[''] == 4 * (2 * 7 * 3 * 4) * 8


def test_counts_go_to_the_module_and_all_that_contain_it() -> None:
    """Also to a list of modules, and to a module of which only another method is called."""

    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 5)])

        def predict(self, given: torch.Tensor) -> None:
            for branch in self.branches:
                branch(given)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = Head()

        def forward(self, given: torch.Tensor) -> None:
            self.head.predict(given)

    assert counted(Model(), torch.zeros(4, 2)) == {
        '': 64, 'head': 64, 'head.branches': 64, 'head.branches.0': 24, 'head.branches.1': 40,
    }  # fmt: skip


def test_skipped_parts_and_what_no_module_runs_do_not_count() -> None:
    model = nn.ModuleDict(dict(one=nn.Linear(2, 3), other=nn.Linear(2, 3)))
    ones = torch.ones(1, 2)
    with ModuleFlops(model, ['other']) as flops:
        model['one'](ones)
        model['other'](ones)
        ones @ ones.t()
    assert flops.by_module == {'': 6, 'one': 6}


def test_nothing_is_left_behind() -> None:
    layer, plain = nn.Linear(2, 2), HostSampling.forward
    root = nn.ModuleDict(dict(layer=layer))
    flops = ModuleFlops(root)
    with contextlib.suppress(ZeroDivisionError), flops:
        assert HostSampling.forward is not plain
        raise ZeroDivisionError
    assert HostSampling.forward is plain
    assert not layer._forward_hooks
    assert not layer._forward_pre_hooks
    layer(torch.ones(1, 2))
    assert not flops.by_module


def test_what_is_not_counted_is_named() -> None:
    class Sparse(nn.Module):
        subm = True

    class Kernel(nn.Module):
        pass

    Kernel.__module__ = 'mmcv.ops.something'
    model = nn.ModuleDict(dict(
        encoder=nn.Sequential(Sparse()), kernel=Kernel(), again=Kernel(), known=DeformableConvolution(1, 1, 1)
    ))  # fmt: skip
    assert sparse_parts(model) == ['encoder']
    assert unknown_kernels(model) == ['Kernel']


def test_history_is_counted() -> None:
    """With history the attention to the past has two maps to sample."""
    cfg = Config.fromfile(STUDENT)
    init_default_scope('mmdet3d')
    sensors = MadeUpSensors(cfg.test_dataloader.dataset, (64, 176), points=0)
    counts = []
    for length in (1, 3):
        model = MODELS.build(dict(cfg.model, queue_length=length))
        counts.append(count_flops(model, model.data_preprocessor, sensors).by_module)
    encoder = 'pts_bbox_head.transformer.encoder'
    assert counts[1]['img_backbone'] == counts[0]['img_backbone']
    assert counts[1][encoder] > counts[0][encoder]
