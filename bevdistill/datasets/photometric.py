"""Photometric distortion of images on any device: mmdet3d's ``PhotoMetricDistortion3D`` for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

TINY = torch.finfo(torch.float32).eps


class PhotometricDistortion:
    """Draw and apply brightness, contrast, saturation, hue and an order of channels, each with a chance of one half.

    As in SSD (arXiv 1512.02325) and mmdet3d's transform: brightness is added, contrast multiplied either at once or at
    the end, saturation multiplied and hue added in between, then the channels change places. Nothing is clipped.

    Args:
        brightness_delta: Of 255; drawn from [-delta, delta].
        contrast_range: Least and largest factor.
        saturation_range: The same.
        hue_delta: Degrees; drawn from [-delta, delta].

    Raises:
        ValueError: If a range is not a pair of positive numbers in order, or a delta is negative.
    """

    def __init__(
        self,
        brightness_delta: float = 32,
        contrast_range: Sequence[float] = (0.5, 1.5),
        saturation_range: Sequence[float] = (0.5, 1.5),
        hue_delta: float = 18,
    ) -> None:
        for name, pair in (('contrast_range', contrast_range), ('saturation_range', saturation_range)):
            if len(pair) != 2 or not 0 < pair[0] <= pair[1]:
                raise ValueError(f'{name} is the least and the largest factor, got {pair}')
        if min(brightness_delta, hue_delta) < 0:
            raise ValueError(
                f'deltas are not negative, got brightness_delta={brightness_delta}, hue_delta={hue_delta}'
            )
        low, high = torch.tensor([
            (-brightness_delta, brightness_delta), tuple(contrast_range), tuple(saturation_range),
            (-hue_delta, hue_delta),
        ], dtype=torch.float32).unbind(dim=1)  # fmt: skip
        self._low, self._span = low, high - low
        self._neutral = torch.tensor((0.0, 1.0, 1.0, 0.0))

    def draw(self, count: int) -> Tensor:
        """Draw on the CPU for a number of images.

        Returns:
            Brightness, first contrast, saturation, hue, last contrast, and where each channel comes from, (count, 8).
        """
        drawn = self._low + torch.rand(count, 4) * self._span
        brightness, contrast, saturation, hue = torch.where(
            torch.rand(count, 4) < 0.5, drawn, self._neutral
        ).unbind(dim=1)
        at_once = torch.rand(count) < 0.5
        first, last = contrast.where(at_once, 1.0), contrast.masked_fill(at_once, 1.0)
        order = torch.where(torch.rand(count, 1) < 0.5, torch.rand(count, 3).argsort(dim=1), torch.arange(3))
        return torch.cat((torch.stack((brightness, first, saturation, hue, last), dim=1), order.float()), dim=1)


def distort(images_I3HW: Tensor, drawn_I8: Tensor) -> Tensor:
    """Distort images by numbers of :meth:`PhotometricDistortion.draw`.

    Args:
        images_I3HW: BGR, 0 to 255.
        drawn_I8: On the same device.

    Returns:
        (I, 3, H, W) float32.
    """
    brightness, first, saturation, hue, last = drawn_I8[:, :5, None, None].unbind(dim=1)
    images = (images_I3HW.float() + brightness[:, None]) * first[:, None]
    angle, share, value = _to_hsv(images)
    angle = angle + hue
    angle = torch.where(angle > 360, angle - 360, angle)
    angle = torch.where(angle < 0, angle + 360, angle)
    images = _to_bgr(angle, share * saturation, value) * last[:, None]
    return images.gather(1, drawn_I8[:, 5:, None, None].long().expand_as(images))


def _to_hsv(images_I3HW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute hue in degrees, saturation and value, (I, H, W) each, as OpenCV does for float32."""
    blue, green, red = images_I3HW.unbind(dim=1)
    value, least = images_I3HW.amax(dim=1), images_I3HW.amin(dim=1)
    spread = value - least
    unit = 60 / (spread + TINY)
    angle = torch.where(
        value == red,
        (green - blue) * unit,
        torch.where(value == green, (blue - red) * unit + 120, (red - green) * unit + 240),
    )
    return torch.where(angle < 0, angle + 360, angle), spread / (value.abs() + TINY), value


def _to_bgr(angle_IHW: Tensor, share_IHW: Tensor, value_IHW: Tensor) -> Tensor:
    """Compute blue, green and red, (I, 3, H, W).

    With ``k = (n + hue / 60) mod 6`` for n = 1, 3, 5: ``value - value * saturation * max(0, min(k, 4 - k, 1))``.
    """
    sector = angle_IHW / 60
    channels = []
    for number in (1, 3, 5):
        k = (sector + number) % 6
        channels.append(value_IHW - value_IHW * share_IHW * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
