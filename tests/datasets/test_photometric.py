"""Photometric distortion of a batch, against mmdet3d's transform of single images with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.datasets.transforms import PhotoMetricDistortion3D
from torch import Tensor

from bevdistill.datasets.photometric import PhotometricDistortion, distort


def as_mmdet3d(row: Tensor) -> tuple[Any, ...]:
    """Write drawn numbers as mmdet3d's transform keeps them: mode, five switches, five values."""
    brightness, first, saturation, hue, last, *order = row.tolist()
    mode = int(first != 1)
    contrast = first if mode else last
    swap = np.array([int(place) for place in order])
    switches = brightness != 0, contrast != 1, saturation != 1, hue != 0, 1
    return (mode, *switches, brightness, contrast, saturation, hue, swap)


@pytest.mark.parametrize('size', [(7, 11), (1, 1)])
def test_equal_to_mmdet3d_with_the_same_numbers(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (40, 3, *size), dtype=torch.uint8)
    images[0], images[1] = 0, 255
    images[2, 1:] = images[2, :1]
    drawn = PhotometricDistortion().draw(len(images))
    found = distort(images, drawn)
    assert found.dtype == torch.float32 and found.shape == images.shape
    transform = PhotoMetricDistortion3D()
    for image, row, own in zip(images, drawn, found, strict=True):
        given = dict(img=image.permute(1, 2, 0).numpy(), photometric_param=as_mmdet3d(row))
        want = torch.from_numpy(transform(given)['img'].copy()).permute(2, 0, 1)
        torch.testing.assert_close(own, want, rtol=1e-5, atol=2e-3)


def test_draws_have_the_distribution_of_mmdet3d() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    options: dict[str, Any] = dict(
        brightness_delta=20, contrast_range=(0.8, 1.4), saturation_range=(0.6, 1.1), hue_delta=9
    )
    own = PhotometricDistortion(**options).draw(4000)
    transform, rows = PhotoMetricDistortion3D(**options), []
    for _ in range(4000):
        mode, *on, brightness, contrast, saturation, hue, swap = transform._random_flags()
        contrast = contrast if on[1] else 1
        first, last = (contrast, 1) if mode else (1, contrast)
        saturation, order = saturation if on[2] else 1, swap if on[4] else range(3)
        rows.append([brightness * on[0], first, saturation, hue * on[3], last, *order])
    want = torch.tensor(rows, dtype=torch.float32)
    quantiles = torch.tensor([0.0, 0.1, 0.2, 0.5, 0.8, 0.9, 1.0])
    spread = want.amax(dim=0) - want.amin(dim=0)
    apart = (own.quantile(quantiles, dim=0) - want.quantile(quantiles, dim=0)).abs() / spread
    assert float(apart.max()) < 0.08
    unchanged = torch.tensor((0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 2.0))
    shares = [(side == unchanged).float().mean(dim=0) for side in (own, want)]
    torch.testing.assert_close(*shares, atol=0.04, rtol=0)
    # One order of channels in six is the old one, beside the half that is not changed at all.
    assert float((own[:, 5:] == torch.arange(3.0)).all(dim=1).float().mean()) == pytest.approx(7 / 12, abs=0.03)
    assert PhotometricDistortion().draw(0).shape == (0, 8)


def test_messages() -> None:
    with pytest.raises(ValueError, match=r'contrast_range is the least and the largest factor, got \(1.5, 0.5\)'):
        PhotometricDistortion(contrast_range=(1.5, 0.5))
    with pytest.raises(ValueError, match='saturation_range'):
        PhotometricDistortion(saturation_range=(0.5,))
    with pytest.raises(ValueError, match='deltas are not negative, got brightness_delta=32, hue_delta=-1'):
        PhotometricDistortion(hue_delta=-1)
