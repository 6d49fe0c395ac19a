"""Branches and the way from their output to references and codes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bevdistill.detection import make_cls_branch, make_reg_branch, refine_references, reset_cls_bias, to_codes
from bevdistill.structures import BEVGrid

GRID = BEVGrid((-40, -20, -5, 40, 20, 3), 4, 8)


def test_parameter_names_are_the_released_ones():
    assert set(make_cls_branch(8, 3).state_dict()) == {
        f'{layer}.{kind}' for layer in (0, 1, 3, 4, 6) for kind in ('weight', 'bias')
    }
    assert set(make_reg_branch(8).state_dict()) == {
        f'{layer}.{kind}' for layer in (0, 2, 4) for kind in ('weight', 'bias')
    }


def test_first_probability():
    branches = nn.ModuleList([make_cls_branch(8, 3)])
    reset_cls_bias(branches, prior=0.02)
    torch.testing.assert_close(branches[0][-1].bias.sigmoid(), torch.full((3,), 0.02))


@pytest.mark.parametrize('dims', [2, 3])
def test_codes_equal_loops(dims):
    raw, references = torch.randn(2, 3, 10), torch.rand(2, 3, dims)
    moved, codes = refine_references(raw, references), to_codes(raw, references, GRID)
    for b in range(2):
        for q in range(3):
            want = raw[b, q].clone()
            for axis, slot in enumerate((0, 1, 4)[:dims]):
                start = float(references[b, q, axis])
                unit = 1 / (1 + math.exp(-float(raw[b, q, slot]) - math.log(start / (1 - start))))
                assert float(moved[b, q, axis]) == pytest.approx(unit, abs=1e-5)
                want[slot] = unit * GRID.extent[axis] + GRID.point_cloud_range[axis]
            torch.testing.assert_close(codes[b, q], want, atol=1e-4, rtol=1e-4)


def test_references_at_the_border_stay_finite():
    references = torch.tensor([[0.0, 1.0, 0.5]], requires_grad=True)
    codes = to_codes(torch.zeros(1, 10), references, GRID)
    codes.sum().backward()
    assert codes.isfinite().all() and references.grad is not None and references.grad.isfinite().all()


def test_half_precision_input_gives_metres_in_float32():
    codes = to_codes(torch.randn(4, 10).half(), torch.rand(4, 3), GRID)
    assert codes.dtype == torch.float32


def test_message():
    with pytest.raises(ValueError, match=r'x, y or x, y, z, got shape \(5, 4\)'):
        refine_references(torch.zeros(5, 10), torch.rand(5, 4))
