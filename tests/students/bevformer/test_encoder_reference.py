"""The encoder against the straightforward one: outputs and all gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.reference.bevformer_encoder import ReferenceEncoder
from benchmarks.reference.workload import Workload, encoder_workload

SMALL = dict(
    rows=9, cols=11, num_layers=2, levels=((6, 10), (3, 5)), embed_dims=16, num_heads=4, feedforward_channels=24,
    num_cams=5, image_size=(96, 160), dropout=0.0,
)


def results(work: Workload, module: torch.nn.Module, exists: Tensor | None) -> dict[str, Tensor]:
    """Output and gradients of inputs and weights, of one random projection of the output."""
    output = module(*work.arguments, exists)
    onto = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output).sin()
    names = [name for name, _ in module.named_parameters()]
    gradients = torch.autograd.grad((output * onto).sum(), [*work.leaves, *module.parameters()])
    return dict(zip(['output', 'query', 'query_pos', 'value', *names], [output, *gradients], strict=True))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ('history', 'options'),
    [
        (None, {}),
        ((True, True, True), {}),
        ((True, False, True), {}),
        ((False, True, False), dict(released_shift_both=True)),
        (None, dict(released_shift_both=True, num_sampling_points=4, rows=7)),
        (None, dict(levels=((5, 9),), with_cp=True, num_cams=1)),
    ],
    ids=['first frame', 'history', 'mixed', 'mixed, released', 'first frame, released', 'one camera, checkpointing'],
)
def test_equal(dtype, history, options):
    work = encoder_workload(batch=3, history=history is not None, dtype=dtype, **{**SMALL, **options})
    exists = None if history is None else torch.tensor(history)
    want = results(work, ReferenceEncoder.from_module(work.encoder), exists)
    got = results(work, work.encoder, exists)
    tolerance = 1e-10 if dtype == torch.float64 else 2e-4
    for name, tensor in want.items():
        scale = max(1.0, float(tensor.abs().max()))
        difference = float((got[name] - tensor).abs().max())
        assert difference <= tolerance * scale, name
