from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch

from bevdistill.datasets import GridMask


def oracle(height: int, width: int, period: int, starts: tuple[int, int], ratio: float) -> np.ndarray:
    """Canvas of 1.5 times the image, zero bands drawn one by one, centre cut out, inverted."""
    tall, wide = int(1.5 * height), int(1.5 * width)
    length = min(max(int(period * ratio + 0.5), 1), period - 1)
    canvas = np.ones((tall, wide))
    for i in range(tall // period):
        begin = period * i + starts[0]
        canvas[begin : min(begin + length, tall), :] = 0
    for i in range(wide // period):
        begin = period * i + starts[1]
        canvas[:, begin : min(begin + length, wide)] = 0
    top, left = (tall - height) // 2, (wide - width) // 2
    return 1 - canvas[top : top + height, left : left + width]


@pytest.mark.parametrize('ratio', [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(
    ('height', 'width', 'period', 'starts'), [(20, 31, 7, (3, 6)), (9, 9, 2, (0, 1)), (16, 40, 15, (14, 0))]
)
def test_matches_bands_drawn_one_by_one(
    height: int, width: int, period: int, starts: tuple[int, int], ratio: float
) -> None:
    draws = [torch.tensor(value) for value in (period, *starts)]
    with mock.patch('torch.randint', side_effect=draws):
        mask = GridMask(ratio=ratio, prob=1.0).draw(height, width)
    assert mask is not None
    np.testing.assert_array_equal(mask.numpy(), oracle(height, width, period, starts, ratio))


def test_probability() -> None:
    assert GridMask(prob=0.0).draw(16, 16) is None
    drawn = [GridMask(prob=0.7).draw(16, 16) is not None for _ in range(200)]
    assert 110 < sum(drawn) < 170


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r'prob=1\.5'):
        GridMask(prob=1.5)
