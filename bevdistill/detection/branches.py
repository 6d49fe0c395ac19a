"""Classification and regression branches of queries; references and box codes from their output."""

from __future__ import annotations

import torch
from mmdet.models.layers.transformer import inverse_sigmoid
from mmengine.model import bias_init_with_prob
from torch import Tensor, nn

from ..structures import CODE_SIZE, BEVGrid
from ..structures.box_code import CENTRE
from ..structures.precision import full_precision


def make_cls_branch(channels: int, num_classes: int, num_layers: int = 2) -> nn.Sequential:
    """Build ``[Linear, LayerNorm, ReLU] * num_layers + Linear`` to class logits, under the released parameter names."""
    layers: list[nn.Module] = []
    for _ in range(num_layers):
        layers += [nn.Linear(channels, channels), nn.LayerNorm(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(channels, num_classes))


def make_reg_branch(channels: int, num_layers: int = 2) -> nn.Sequential:
    """Build ``[Linear, ReLU] * num_layers + Linear`` to ten raw code numbers, under the released parameter names."""
    layers: list[nn.Module] = []
    for _ in range(num_layers):
        layers += [nn.Linear(channels, channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(channels, CODE_SIZE))


def reset_cls_bias(branches: nn.ModuleList, prior: float = 0.01) -> None:
    """Set the last bias of each classification branch so that every class starts with probability `prior`."""
    for branch in branches:
        assert isinstance(branch, nn.Sequential)
        nn.init.constant_(branch[-1].bias, bias_init_with_prob(prior))  # type: ignore[arg-type]


def refine_references(raw: Tensor, references: Tensor) -> Tensor:
    """Move references by a regression branch's output, in logit space.

    ``r' = sigmoid(t + logit(r))`` with t the slots of the code that hold the centre (BEVFormer's decoder, after
    Deformable DETR, arXiv 2010.04159, appendix A.4). In float32 at least.

    Args:
        raw: Output of a regression branch, (..., 10).
        references: Normalised x, y or x, y, z in (0, 1), (..., 2) or (..., 3).

    Returns:
        New references with the shape of `references`, with gradient.

    Raises:
        ValueError: If references have neither two nor three numbers.
    """
    dims = references.shape[-1]
    if dims not in (2, 3):
        raise ValueError(f'references hold x, y or x, y, z, got shape {tuple(references.shape)}')
    step = torch.stack([raw[..., slot] for slot in CENTRE[:dims]], dim=-1)
    return (full_precision(step) + inverse_sigmoid(full_precision(references), eps=1e-5)).sigmoid()


def to_codes(raw: Tensor, references: Tensor, grid: BEVGrid) -> Tensor:
    """Turn a regression branch's output into metric box codes, see :mod:`bevdistill.structures.box_code`.

    The centre is the refined reference in metres; with 2-D references the height slot is taken as metres as it is
    (Object-DGCNN). The other slots are raw.

    Args:
        raw: Output of a regression branch, (..., 10).
        references: References that the layer started from, (..., 2) or (..., 3).
        grid: Gives metres.

    Returns:
        Codes, (..., 10), float32 at least.
    """
    centre = grid.denormalise(refine_references(raw, references))
    x, y = centre[..., 0:1], centre[..., 1:2]
    raw = full_precision(raw)
    z = centre[..., 2:3] if centre.shape[-1] == 3 else raw[..., 4:5]
    return torch.cat((x, y, raw[..., 2:4], z, raw[..., 5:]), dim=-1)
