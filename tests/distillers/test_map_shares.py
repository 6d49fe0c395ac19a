"""Shares of a teacher's map in a student's, against loops over cells and cases whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from bevdistill.distillers.map_shares import MapMoments, share_as_it_is, share_by_linear_map


def features(seed: int, cells: int = 50, channels: int = 4) -> tuple[Tensor, Tensor]:
    """Features and weights of a sample."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(cells, channels, generator=draw) + 2, torch.rand(cells, generator=draw)


def slow_share(predicted: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """``1 - error / spread`` by loops over cells and channels."""
    total, error, spread = sum(weight), 0.0, 0.0
    for channel in range(truth.shape[1]):
        mean = sum(w * t for w, t in zip(weight, truth[:, channel], strict=True)) / total
        for cell, w in enumerate(weight):
            error += w * (truth[cell, channel] - predicted[cell, channel]) ** 2
            spread += w * (truth[cell, channel] - mean) ** 2
    return 1 - error / spread


def test_share_as_it_is_against_loops() -> None:
    samples = [(*features(seed), features(seed + 10)[0]) for seed in range(3)]
    moments = [MapMoments.of(student, teacher, weight) for student, weight, teacher in samples]
    student, weight, teacher = (torch.cat(side).double().numpy() for side in zip(*samples, strict=True))
    assert share_as_it_is(moments) == pytest.approx(slow_share(student, teacher, weight), rel=1e-9)


def test_share_by_linear_map_against_least_squares_of_numpy() -> None:
    truth = torch.randn(4, 3, generator=torch.Generator().manual_seed(5))
    samples = []
    for seed in range(5):
        student, weight = features(seed)
        noise, _ = features(seed + 20, channels=3)
        samples.append((student.double(), weight.double(), (student @ truth + noise).double()))
    folds = [[torch.cat(side).numpy() for side in zip(*samples[first::2], strict=True)] for first in (0, 1)]
    error = spread = 0.0
    for (student, weight, teacher), (own, own_weight, own_teacher) in (folds, folds[::-1]):
        root = np.sqrt(weight)[:, None]
        design = np.c_[student, np.ones(len(student))]
        coefficients, *_ = np.linalg.lstsq(root * design, root * teacher, rcond=None)
        left = own_teacher - np.c_[own, np.ones(len(own))] @ coefficients
        error += float((own_weight[:, None] * left**2).sum())
        centred = own_teacher - np.average(own_teacher, axis=0, weights=own_weight)
        spread += float((own_weight[:, None] * centred**2).sum())
    share = share_by_linear_map([MapMoments.of(student, teacher, weight) for student, weight, teacher in samples])
    assert share == pytest.approx(1 - error / spread, abs=1e-4)
    assert 0.5 < share < 1


def test_known_answers() -> None:
    """Equal, turned and unrelated maps; the mean; a map that is further away than the mean."""
    samples = [features(seed, cells=400) for seed in range(4)]
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1)))[0]
    equal = [MapMoments.of(side, side, weight) for side, weight in samples]
    turned = [MapMoments.of(side @ turn + 3, side, weight) for side, weight in samples]
    unrelated = [MapMoments.of(features(seed + 50, 400)[0], *sample) for seed, sample in enumerate(samples)]
    mean = [MapMoments.of(torch.full_like(side, 2.0), side, weight) for side, weight in samples]
    assert (share_as_it_is(equal), share_by_linear_map(equal)) == (pytest.approx(1), pytest.approx(1, abs=1e-5))
    assert share_as_it_is(turned) < -1 and share_by_linear_map(turned) == pytest.approx(1, abs=1e-4)
    assert abs(share_by_linear_map(unrelated)) < 0.05
    assert abs(share_as_it_is(mean)) < 0.05 and abs(share_by_linear_map(mean)) < 0.05


def test_other_channels_have_no_share_as_they_are_and_cells_without_weight_do_not_count() -> None:
    samples = [(features(seed)[0], features(seed + 9, channels=3)[0], features(seed)[1]) for seed in range(4)]
    assert math.isnan(share_as_it_is([MapMoments.of(*sample) for sample in samples]))
    assert math.isfinite(share_by_linear_map([MapMoments.of(*sample) for sample in samples]))
    kept, weight = features(0)
    wild = torch.cat((kept, torch.full((1, 4), 1e6)))
    moments = MapMoments.of(wild, wild * 2, torch.cat((weight, torch.zeros(1))))
    assert share_as_it_is([moments]) == pytest.approx(share_as_it_is([MapMoments.of(kept, kept * 2, weight)]))


def test_nothing_varies() -> None:
    constant = torch.ones(9, 2)
    moments = [MapMoments.of(constant, constant, torch.zeros(9))] * 2
    assert math.isnan(share_as_it_is(moments)) and math.isnan(share_by_linear_map(moments))
