"""VoVNetV2, an image backbone of one-shot aggregation, under the parameter names of its public weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.cnn import build_norm_layer
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

BLOCKS = {39: (1, 1, 2, 2), 57: (1, 1, 4, 3), 99: (1, 3, 9, 3)}
"""Blocks of each stage by the depth of the network."""
LAYERS = 5
STAGES = 4

Norm = dict[str, object]


def convolution(name: str, inside: int, out: int, norm_cfg: Norm, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Build convolution, norm and ReLU as ``NAME/conv``, ``NAME/norm``, ``NAME/relu``."""
    layer = nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False)
    block = nn.Sequential()
    for part, module in (('conv', layer), ('norm', build_norm_layer(norm_cfg, out)[1]), ('relu', nn.ReLU(True))):
        block.add_module(f'{name}/{part}', module)
    return block


class SqueezeExcitation(nn.Module):
    """Weight channels by their means: ``y = x * clip(W mean_hw(x) + b + 3, 0, 6) / 6`` (eSE of CenterMask)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Weight the channels."""
        return x_BCHW * F.hardsigmoid(self.fc(x_BCHW.mean(dim=(2, 3), keepdim=True)))


class Aggregation(nn.Module):
    """One-shot aggregation: convolutions in a row, all of whose outputs are concatenated with the input once.

    With ``f_0 = x`` and ``f_i = ReLU(BN(conv3x3(f_(i-1))))`` the output is ``eSE(conv1x1([f_0, ..., f_5]))``, to which
    `identity` adds x.

    Args:
        name: What names of its layers begin with, such as ``OSA2_1``.
        channels: Of the input, of each convolution, of the output.
        norm_cfg: Norm after each convolution.
        identity: Whether the input is added.
        with_cp: Whether activations are computed again in the backward pass.
    """

    def __init__(
        self, name: str, channels: tuple[int, int, int], norm_cfg: Norm, identity: bool, with_cp: bool
    ) -> None:
        super().__init__()
        first, inner, out = channels
        widths = [first] + [inner] * (LAYERS - 1)
        self.layers = nn.ModuleList(
            convolution(f'{name}_{i}', width, inner, norm_cfg) for i, width in enumerate(widths)
        )
        self.concat = convolution(f'{name}_concat', first + LAYERS * inner, out, norm_cfg, kernel=1)
        self.ese = SqueezeExcitation(out)
        self.identity, self.with_cp = identity, with_cp

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Aggregate."""
        if self.with_cp and x_BCHW.requires_grad:
            again: Tensor = checkpoint(self._aggregate, x_BCHW, use_reentrant=False)
            return again
        return self._aggregate(x_BCHW)

    def _aggregate(self, x_BCHW: Tensor) -> Tensor:
        features = [x_BCHW]
        for layer in self.layers:
            features.append(layer(features[-1]))
        y_BCHW: Tensor = self.ese(self.concat(torch.cat(features, dim=1)))
        return y_BCHW + x_BCHW if self.identity else y_BCHW


@MODELS.register_module()
class VoVNet(BaseModule):  # type: ignore[misc]
    """VoVNetV2 of CenterMask (Lee and Park, arXiv 1911.06667; aggregation: Lee et al., arXiv 1904.09730).

    A stem of three convolutions to 1/4, then four stages at 1/4, 1/8, 1/16 and 1/32 of 256, 512, 768 and 1024 channels.
    Every block has squeeze-and-excitation, every block but the first of a stage adds its input.

    Note:
        Parameters have the names of the authors' files and of those of DD3D and DETR3D (``stage4.OSA4_2.ese.fc.weight``
        below ``backbone.bottom_up.`` or ``img_backbone.``), so that ``init_cfg=dict(type='Pretrained', checkpoint=FILE,
        prefix='img_backbone.')`` loads them, see docs/weights.md. No public file was opened here.

    Args:
        depth: One of :data:`BLOCKS`; 99 is V2-99.
        out_indices: Stages that are given out, 0 to 3.
        base_channels: Of the first convolution; all widths are in proportion.
        frozen_stages: The stem and this many stages are not trained, and their norms stay as they are; -1: all are.
        norm_eval: Whether the statistics of all norms stay as they are.
        norm_cfg: Norm of each convolution.
        with_cp: Whether activations of the blocks are computed again in the backward pass, to save memory.
        init_cfg: Start values.

    Raises:
        ValueError: If the depth is another.
    """

    def __init__(
        self,
        depth: int = 99,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        base_channels: int = 64,
        frozen_stages: int = -1,
        norm_eval: bool = True,
        norm_cfg: Norm | None = None,
        with_cp: bool = False,
        init_cfg: dict[str, object] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth not in BLOCKS:
            raise ValueError(f'VoVNet: depth must be one of {", ".join(map(str, BLOCKS))}, got {depth}')
        wrong = [index for index in out_indices if index not in range(STAGES)]
        if wrong or frozen_stages > STAGES:
            raise ValueError(f'VoVNet has stages 0 to 3, got out_indices={out_indices}, frozen_stages={frozen_stages}')
        norm_cfg = norm_cfg or dict(type='BN')
        self.out_indices, self.frozen_stages, self.norm_eval = tuple(out_indices), frozen_stages, norm_eval
        base = base_channels
        self.stem = nn.Sequential()
        for number, (inside, out, stride) in enumerate(((3, base, 2), (base, base, 1), (base, 2 * base, 2)), 1):
            for name, module in convolution(f'stem_{number}', inside, out, norm_cfg, stride=stride).named_children():
                self.stem.add_module(name, module)
        width = 2 * base
        for stage, blocks in enumerate(BLOCKS[depth], 2):
            inner, out = base * (stage + 2) // 2, 4 * base * (stage - 1)
            layers = nn.Sequential()
            if stage > 2:
                layers.add_module('Pooling', nn.MaxPool2d(3, 2, ceil_mode=True))
            for number in range(1, blocks + 1):
                name = f'OSA{stage}_{number}'
                layers.add_module(name, Aggregation(name, (width, inner, out), norm_cfg, number > 1, with_cp))
                width = out
            self.add_module(f'stage{stage}', layers)
        self._freeze()

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of the stages in `out_indices`, finest first."""
        x_BCHW = self.stem(x_BCHW)
        maps = []
        for index in range(STAGES):
            x_BCHW = self.get_submodule(f'stage{index + 2}')(x_BCHW)
            if index in self.out_indices:
                maps.append(x_BCHW)
        return tuple(maps)

    def train(self, mode: bool = True) -> VoVNet:
        """Set the mode; frozen stages, and with `norm_eval` all norms, stay in that of evaluation."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        parts = ['stem', *(f'stage{index + 2}' for index in range(self.frozen_stages))]
        for part in parts if self.frozen_stages >= 0 else ():
            self.get_submodule(part).eval().requires_grad_(False)
