"""Versions of everything, and operators against the kernels of the CPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib import metadata

import torch
from torch import Tensor

from bevdistill.engine.nvidia import driver_version
from bevdistill.layers import FeatureLevels
from bevdistill.layers.sampling import sample_deformable, sample_images, sample_views

from .block import Check

PACKAGES = ('torch', 'triton', 'numpy', 'numba', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d', 'nuscenes-devkit', 'spconv')
LEVELS = ((29, 50), (15, 25))
TOLERANCE = 1e-4


def versions(check: Check) -> bool:
    """Tell what runs here."""
    from mmcv.ops import get_compiling_cuda_version

    found = {name: version(name) for name in PACKAGES}
    cuda = check.device == 'cuda'
    card = torch.cuda.get_device_properties(0) if cuda else None
    device = f'{card.name}, {card.total_memory / 2**30:.0f} GiB' if card else 'no GPU asked for'
    check.tell(
        f'Python {platform.python_version()}, torch {found["torch"]}, Triton {found["triton"]}, numpy {found["numpy"]},'
        f' {device}, {os.cpu_count()} cores',
        packages=found, python=platform.python_version(), driver=driver_version(), cuda=torch.version.cuda,
        mmcv_cuda=get_compiling_cuda_version(), device=device, cores=os.cpu_count(),
    )  # fmt: skip
    return True


def version(name: str) -> str | None:
    """Version of a package, None if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def operators(check: Check) -> bool:
    """Compare values and gradients of each operator with those on the CPU."""
    errors: dict[str, float] = {}
    for name, (run, tensors) in cases().items():
        try:
            errors[name] = difference(run, tensors, check.device)
        except Exception as error:  # one operator that does not work must not hide the others
            errors[name] = float('inf')
            check.found[f'{name} error'] = f'{type(error).__name__}: {error}'
        worst = max(errors, key=lambda name: errors[name])
        check.tell(f'{len(errors)} operators, largest relative error {errors[worst]:.1e} ({worst})', errors=errors)
    return max(errors.values()) < TOLERANCE


def cases() -> dict[str, tuple[Callable[..., Tensor], list[Tensor]]]:
    """Operators with their arguments; those with a gradient come as such."""
    from mmdet.models import FocalLoss

    from bevdistill.layers.deformable_convolution import DeformableConvolution
    from bevdistill.layers.rotated_iou import bev_iou
    from bevdistill.layers.voxels import hard_voxels

    torch.manual_seed(0)
    tokens = sum(height * width for height, width in LEVELS)
    value = torch.randn(6, tokens, 8, 32, requires_grad=True)
    dense = [torch.rand(6, 900, 8, 2, 4, 2) * 1.4 - 0.2, torch.rand(6, 900, 8, 2, 4)]
    pairs = [torch.rand(3000, 8, 2, 8, 2) * 1.4 - 0.2, torch.rand(3000, 8, 2, 8)]
    image = torch.arange(6).repeat_interleave(500)
    row = torch.randint(0, 2500, (3000,))
    pillars = [torch.randn(2500, 8, 2, 8, 2), torch.randn(2500, 8, 2, 8)]
    points = torch.rand(3000, 4, 2) * 1.4 - 0.2
    for tensor in (*dense, *pairs, *pillars):
        tensor.requires_grad_()

    def dense_sampling(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return sample_deformable(value, FeatureLevels.of(LEVELS, value.device), locations, weights)

    def image_sampling(value: Tensor, places: Tensor, weights: Tensor, image: Tensor, row: Tensor) -> Tensor:
        levels = FeatureLevels.of(LEVELS, value.device)
        return sample_images(value, levels, places, weights, image, row, 2500)

    def views(value: Tensor, offsets: Tensor, logits: Tensor, points: Tensor, image: Tensor, row: Tensor) -> Tensor:
        levels = FeatureLevels.of(LEVELS, value.device)
        return sample_views(value, levels, offsets, logits, points, image, row, torch.ones_like(points[:, 0, 0]))

    convolution = DeformableConvolution(16, 16, 3, padding=1)
    torch.nn.init.normal_(convolution.conv_offset.weight, std=0.1)
    focal, labels = FocalLoss(use_sigmoid=True), torch.randint(0, 11, (900,))
    cloud = torch.rand(20_000, 5) * 60 - 30
    boxes = torch.cat([torch.rand(200, 2) * 20, torch.rand(200, 2) * 4 + 0.5, torch.rand(200, 1) * 6], dim=1)

    def convolve(image: Tensor) -> Tensor:
        return convolution.to(image.device)(image)

    def group(points: Tensor) -> Tensor:
        found = hard_voxels([points], (0.2, 0.2, 8), (-25, -25, -4, 25, 25, 4), (250, 250, 1), 10, 5000)
        return found.voxels.flatten(1).sum(dim=1) + found.coors.sum(dim=1) + found.num_points

    return {
        'deformable attention': (dense_sampling, [value, *dense]),
        'deformable attention of lists': (image_sampling, [value, *pairs, image, row]),
        'attention to cameras': (views, [value, *pillars, points, image, row.sort().values]),
        'deformable convolution': (convolve, [torch.randn(2, 16, 20, 30, requires_grad=True)]),
        'focal loss': (focal, [torch.randn(900, 10, requires_grad=True), labels]),
        'rotated IoU': (bev_iou, [boxes[:90], boxes[90:]]),
        'voxels': (group, [cloud]),
    }


def difference(run: Callable[..., Tensor], tensors: list[Tensor], device: str) -> float:
    """Largest difference of values and gradients between a device and the CPU, over the largest value there."""
    sides = []
    for place in ('cpu', device):
        moved = [tensor.detach().to(place).requires_grad_(tensor.requires_grad) for tensor in tensors]
        result = run(*moved)
        with_gradient = [tensor for tensor in moved if tensor.requires_grad]
        torch.manual_seed(1)
        unit = torch.randn(result.shape)
        gradients = torch.autograd.grad(result, with_gradient, unit.to(place)) if with_gradient else ()
        sides.append([tensor.detach().cpu() for tensor in (result, *gradients)])
    return max(float((a - b).abs().max() / a.abs().max().clamp(min=1e-12)) for a, b in zip(*sides, strict=True))
