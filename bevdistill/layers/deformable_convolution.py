"""Modulated deformable convolution (DCNv2, arXiv 1811.11168) by the sampling of this package.

Legend: B images, G deformable groups, T places of the kernel, H, W and H', W' sizes before and after.
"""

from __future__ import annotations

import torch
from mmcv.ops.modulated_deform_conv import ModulatedDeformConv2dPack
from mmdet3d.registry import MODELS
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..structures.constants import constant_like
from ..structures.precision import full_precision
from .feature_levels import FeatureLevels
from .sampling import sample_deformable


def modulated_deformable_convolution(
    image_BCHW: Tensor,
    offsets: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int = 1,
) -> Tensor:
    """Convolve with a kernel whose places are moved and weighted anew at every place of the image.

    ``out(y, x) = bias + sum over t of weight_t mask_t(y, x) image((y, x) * stride - padding + t * dilation +
    offset_t(y, x))``, bilinear, zero outside. Samples are taken in float32 at least, the sum over
    places and channels is a convolution like others.

    Args:
        image_BCHW: The image.
        offsets: (B, G * T * 2, H', W'): of each group and place of the kernel, downwards and to the right, in cells.
        mask: (B, G * T, H', W').
        weight: (C', C / groups, kernel rows, kernel columns).
        bias: (C',) or None.
        stride: Downwards, to the right.
        padding: The same.
        dilation: The same.
        groups: Of the channels, as in a plain convolution.

    Returns:
        (B, C', H', W').
    """
    batch, channels, height, width = image_BCHW.shape
    rows, columns = mask.shape[2:]
    places = weight.shape[2] * weight.shape[3]
    deformable = mask.shape[1] // places
    offsets, mask = full_precision(offsets), full_precision(mask)
    base_y, base_x = (
        torch.arange(size, device=mask.device, dtype=mask.dtype)[:, None] * step - pad
        + torch.arange(kernel, device=mask.device, dtype=mask.dtype) * spread
        for size, step, pad, kernel, spread in zip(
            (rows, columns), stride, padding, weight.shape[2:], dilation, strict=True
        )
    )  # fmt: skip
    base = torch.stack(torch.broadcast_tensors(base_x[None, :, None, :], base_y[:, None, :, None]), dim=-1)
    # To H', W', places, groups, (x, y): each place of the kernel asks by itself.
    moved = offsets.view(batch, deformable, places, 2, rows, columns).permute(0, 4, 5, 2, 1, 3).flip(-1)
    cells = base.flatten(2, 3)[:, :, :, None] + moved
    locations = (cells + 0.5) / constant_like((float(width), float(height)), cells)
    factors = mask.view(batch, deformable, places, rows, columns).permute(0, 3, 4, 2, 1)
    value = image_BCHW.flatten(2).transpose(1, 2).unflatten(-1, (deformable, -1))
    levels = FeatureLevels.of([(height, width)], image_BCHW.device)
    sampled = sample_deformable(
        value, levels, locations.flatten(1, 3)[:, :, :, None, None], factors.flatten(1, 3)[..., None, None]
    )
    # A convolution of what was sampled, with a kernel of one place and T times the channels.
    taken = sampled.view(batch, rows, columns, places, groups, -1).permute(0, 4, 5, 3, 1, 2)
    return functional.conv2d(taken.flatten(1, 3).to(weight), weight.flatten(1)[:, :, None, None], bias, groups=groups)


@MODELS.register_module('DCNv2')
class DeformableConvolution(ModulatedDeformConv2dPack):
    """mmcv's ``DCNv2``, same parameters and start values, on any device and without a compiled operator of mmcv.

    Under this name mmdet3d's registry finds it before mmcv's: backbones with ``dcn=dict(type='DCNv2', ...)`` have it.

    Arguments are those of mmcv's class: ``in_channels``, ``out_channels``, ``kernel_size``, ``stride``, ``padding``,
    ``dilation``, ``groups``, ``deform_groups``, ``bias``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, (B, C, H, W) to (B, C', H', W'); samples are not kept for the backward pass but taken again."""
        predicted = self.conv_offset(x)
        offsets, mask = predicted.split((predicted.shape[1] // 3 * 2, predicted.shape[1] // 3), dim=1)
        steps = (self.stride, self.padding, self.dilation)
        pairs = [(side, side) if isinstance(side, int) else tuple(side) for side in steps]
        convolved: Tensor = checkpoint(
            modulated_deformable_convolution, x, offsets, mask.sigmoid(), self.weight, self.bias, *pairs, self.groups,
            use_reentrant=False, preserve_rng_state=False,
        )  # fmt: skip
        return convolved
