"""Gradients of the encoder against finite differences in float64.

Which pillar points a camera sees does not depend on what is differentiated here. Bilinear sampling has kinks where a
location crosses a cell centre and ReLU has one at zero: weights are random instead of the start values, which put
every sample on a cell centre, and the test asserts that all locations keep away from the kinks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from torch import Tensor

from bevdistill.layers import FeatureLevels
from bevdistill.layers.sampling import host
from bevdistill.structures import BEVGrid
from bevdistill.students.bevformer import BEVFormerEncoder, FrameGeometry

RANGE = (-51.2, -51.2, -5.0, 51.2, 51.2, 3.0)
LEVELS = FeatureLevels.of([(3, 4), (2, 2)])
CHANNELS, BATCH, CAMS = 4, 2, 2
STEP = 1e-6


def make_encoder(released: bool) -> BEVFormerEncoder:
    encoder = BEVFormerEncoder(
        BEVGrid(RANGE, 2, 3),
        CHANNELS,
        num_layers=2,
        num_heads=2,
        num_levels=2,
        num_pillar_points=2,
        num_sampling_points=2,
        num_temporal_points=2,
        feedforward_channels=6,
        dropout=0.1,
        released_shift_both=released,
    )
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return encoder.double().eval()


def make_frames(make_batch) -> FrameGeometry:
    _, samples = make_batch([0] * BATCH, num_cams=CAMS)
    assert isinstance(samples[0], Det3DDataSample)
    return FrameGeometry.from_samples(samples)


def rows(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.randn(*shape)).requires_grad_()


@pytest.fixture
def locations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Tensor]]:
    """Distance of every sampling location to the nearest kink, in cells."""
    seen: list[Tensor] = []

    original = host.images

    def watched(value: Tensor, levels: FeatureLevels, where: Tensor, *others: Any) -> Tensor:
        cells = where.detach() * levels.extents(where)[:, None] - 0.5
        seen.append((cells - cells.round()).abs().min())
        return original(value, levels, where, *others)

    # What all attentions come to on a CPU.
    monkeypatch.setattr(host, 'images', watched)
    yield seen
    assert len(seen) >= 4
    assert min(float(distance) for distance in seen) > 10 * STEP


@pytest.mark.parametrize(
    ('exists', 'released'),
    [(None, False), ((True, False), False), ((True, True), True)],
    ids=['first frame', 'mixed', 'history, released'],
)
def test_every_input_and_weight(make_batch, locations, exists, released) -> None:
    encoder, frames = make_encoder(released), make_frames(make_batch)
    cells = encoder.grid.num_cells
    query, pos = rows(BATCH, cells, CHANNELS), rows(1, cells, CHANNELS)
    value = rows(BATCH, CAMS, LEVELS.num_tokens, CHANNELS)
    shift = (rows(BATCH, 2) * 0.05).detach().requires_grad_()
    prev = None if exists is None else rows(BATCH, cells, CHANNELS)
    names = [name for name, _ in encoder.named_parameters()]

    def run(query: Tensor, pos: Tensor, value: Tensor, shift: Tensor, prev: Tensor | None, *weights: Tensor) -> Tensor:
        arguments = (query, pos, value, LEVELS, frames, shift, prev, None if prev is None else torch.tensor(exists))
        return torch.func.functional_call(encoder, dict(zip(names, weights, strict=True)), arguments)

    weights = [parameter.detach().requires_grad_() for parameter in encoder.parameters()]
    output = run(query, pos, value, shift, prev, *weights)
    assert output.dtype == torch.float64
    # Full mode asks every entry on its own, of one random projection of the output; the larger tensors are checked
    # along random directions.
    small = (shift,) if prev is None else (shift, prev)
    onto = torch.randn_like(output)
    assert torch.autograd.gradcheck(
        lambda shift, prev=None: (run(query, pos, value, shift, prev, *weights) * onto).sum(), small, eps=STEP
    )
    assert torch.autograd.gradcheck(
        lambda query, pos, value, *given: run(query, pos, value, shift, prev, *given),
        (query, pos, value, *weights),
        eps=STEP,
        fast_mode=True,
    )
    moved = torch.autograd.grad(output.square().sum(), [value, *weights], allow_unused=True)
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in moved)
