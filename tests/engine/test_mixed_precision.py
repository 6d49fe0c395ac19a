"""Whole models of the CPU-sized configs in mixed precision: losses, gradients, what stays float32, loss scaling.

On a CPU float16 is torch's own autocast and loss scaler: mmengine's wrapper asks for an accelerator, so its questions
are answered for it here. The path on CUDA is the same wrapper with the questions answered by the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import mmengine.optim.optimizer.amp_optimizer_wrapper as amp_module
import mmengine.runner.amp
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import AmpOptimWrapper, build_optim_wrapper
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from toy_run import toy_config, train
from twins import build, model_config, raw_batch

from bevdistill.detection import query_decoder
from bevdistill.distillers import BEVDistiller
from bevdistill.engine import UntrainableError
from bevdistill.engine.launch import run_training
from bevdistill.layers import deformable_attention
from bevdistill.students.bevformer import encoder, frame, spatial_attention, temporal_attention
from bevdistill.teachers import ObjectDGCNN

pytestmark = pytest.mark.usefixtures('one_thread')

MODELS = ('student', 'temporal', 'teacher', 'distiller')
IMAGE = (32, 32)
"""Height and width: small, since a CPU computes half precision in software."""
TYPES = {torch.bfloat16: dict(gap=0.15, scale=1.0), torch.float16: dict(gap=0.08, scale=512.0)}
"""Largest distance of all gradients together, relative to their length in float32, and the scale of the loss."""


@pytest.fixture
def geometry(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, torch.dtype]]:
    """Name and type of every tensor of positions that goes into or comes out of a step of the geometry."""
    seen: set[tuple[str, torch.dtype]] = set()

    def watch(owner: Any, name: str, label: str, arguments: tuple[int, ...] = ()) -> None:
        inner = getattr(owner, name)

        def outer(*given: Any, **named: Any) -> Any:
            result = inner(*given, **named)
            tensors = [given[index] for index in arguments] or (result if isinstance(result, tuple) else [result])
            seen.update((label, tensor.dtype) for tensor in tensors if tensor.is_floating_point())
            return result

        monkeypatch.setattr(owner, name, outer)

    watch(frame, 'pillar_points', 'pillar points')
    watch(frame, 'project', 'projections')
    watch(encoder.BEVFormerEncoder, 'references', 'references on the map')
    watch(query_decoder, 'refine_references', 'references of the decoder')
    samplers = {
        deformable_attention: 'sample_deformable',
        spatial_attention: 'sample_views',
        temporal_attention: 'sample_deformable',
    }
    for module, name in samplers.items():
        # Locations or offsets, weights or logits; the values are in half precision.
        watch(module, name, f'sampling of {module.__name__.rpartition(".")[2]}', (2, 3))
    return seen


def gradients(name: str, folder: Path, dtype: torch.dtype | None) -> tuple[dict[str, Tensor], nn.Module]:
    """Gradients of a step, with the loss scaled for float16, and losses under their names."""
    config = model_config(name, folder)
    model = build(config)
    data = model.data_preprocessor(raw_batch((3,), queue=config.get('queue_length', 1), size=IMAGE), training=True)
    with torch.autocast('cpu', dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        losses = model(**data, mode='loss')
    scale = 1.0 if dtype is None else TYPES[dtype]['scale']
    (model.parse_losses(losses)[0] * scale).backward()
    found = {key: value.grad / scale for key, value in model.named_parameters() if value.requires_grad}
    return found | {f'loss {key}': value.detach() for key, value in losses.items() if 'loss' in key}, model


@pytest.mark.parametrize('name', MODELS)
def test_gradients_are_near_those_of_float32(name: str, geometry: set[tuple[str, torch.dtype]], tmp_path: Path) -> None:
    want, _ = gradients(name, tmp_path, None)
    whole = torch.cat([value.flatten() for key, value in want.items() if not key.startswith('loss ')])
    for dtype, limit in TYPES.items():
        geometry.clear()
        inside: set[torch.dtype] = set()
        hook = nn.modules.module.register_module_forward_hook(
            lambda module, _, result, inside=inside: inside.add(result.dtype) if isinstance(module, nn.Conv2d) else None
        )
        got, model = gradients(name, tmp_path, dtype)
        hook.remove()
        # Convolutions of a distiller's teacher run in float32.
        assert inside == ({dtype, torch.float32} if isinstance(model, BEVDistiller) else {dtype})
        assert {kind for _, kind in geometry} == {torch.float32}, geometry
        assert len({label for label, _ in geometry}) == (2 if isinstance(model, ObjectDGCNN) else 7)
        assert all(value.dtype == torch.float32 and value.isfinite().all() for value in got.values())
        parts = torch.cat([value.flatten() for key, value in got.items() if not key.startswith('loss ')])
        distance = float((parts - whole).norm() / whole.norm())
        losses = {key: float(got[key] / value) - 1 for key, value in want.items() if key.startswith('loss ') and value}
        similarity = float(cosine_similarity(parts, whole, dim=0))
        print(f'{name} {dtype}: gradients {distance:.1e}, cosine {similarity:.5f}, losses {max(losses.values()):.1e}')
        assert distance < limit['gap']
        assert all(abs(gap) < 0.02 for gap in losses.values()), losses


@pytest.fixture
def float16_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine's AmpOptimWrapper with torch's loss scaler and autocast for CPUs."""

    @contextmanager
    def autocast(dtype: torch.dtype | None = None, **_: Any) -> Iterator[None]:
        with torch.autocast('cpu', dtype=dtype or torch.float16):
            yield

    monkeypatch.setattr(amp_module, 'is_cuda_available', lambda: True)
    monkeypatch.setattr(amp_module, 'GradScaler', partial(torch.amp.GradScaler, 'cpu'))
    monkeypatch.setattr(mmengine.runner.amp, 'autocast', autocast)


def steps(
    name: str, wrapper: dict[str, Any], folder: Path, count: int
) -> Iterator[tuple[bool, dict[str, Tensor], Any]]:
    """Train; for each step whether weights moved, the losses, and the wrapper."""
    config = model_config(name, folder)
    model = build(config)
    optimizer = dict(type='AdamW', lr=1e-3)
    optim: Any = build_optim_wrapper(model, ConfigDict(optimizer=optimizer, clip_grad=dict(max_norm=5)) | wrapper)
    weight = next(value for value in reversed(list(model.parameters())) if value.requires_grad)
    for _ in range(count):
        before = weight.detach().clone()
        logged = model.train_step(raw_batch((3,), queue=config.get('queue_length', 1), size=IMAGE), optim)
        yield not torch.equal(weight, before), logged, optim


# One step costs seconds on a CPU, which computes half precision in software; gradients of all are tested above.
@pytest.mark.parametrize('name', ['temporal', 'teacher'])
def test_trains_in_bfloat16(name: str, tmp_path: Path) -> None:
    for moved, logged, _ in steps(name, dict(type='Bfloat16OptimWrapper'), tmp_path, 2):
        assert moved
        assert all(value.isfinite() for value in logged.values())


@pytest.mark.usefixtures('float16_on_a_cpu')
@pytest.mark.parametrize('name', ['student', 'distiller'])
def test_trains_in_float16_with_a_loss_scale_that_finds_itself(name: str, tmp_path: Path) -> None:
    """A scale that overflows costs a step, not the weights."""
    wrapper = dict(type='AmpOptimWrapper', loss_scale=dict(init_scale=2.0**24, backoff_factor=2.0**-15))
    seen = []
    for moved, logged, optim in steps(name, wrapper, tmp_path, 2):
        assert all(value.isfinite() for value in logged.values())
        seen.append((moved, optim.loss_scaler.get_scale()))
    assert seen == [(False, 2.0**9), (True, 2.0**9)]


@pytest.mark.usefixtures('float16_on_a_cpu')
def test_a_resumed_run_goes_on_with_its_loss_scale(tmp_path: Path) -> None:
    scale = dict(init_scale=64.0, growth_interval=5)
    amp = {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.loss_scale': scale}
    whole = train(toy_config(tmp_path, by_iter=True, **amp))
    assert isinstance(whole.optim_wrapper, AmpOptimWrapper)
    path = tmp_path / 'run' / 'iter_6.pth'
    assert torch.load(path, weights_only=True)['optimizer']['loss_scaler']['scale'] == 128.0
    resumed = train(toy_config(tmp_path, by_iter=True, load_from=str(path), resume=True, **amp))
    assert resumed.optim_wrapper.loss_scaler.state_dict() == whole.optim_wrapper.loss_scaler.state_dict()
    weights = resumed.model.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in whole.model.state_dict().items())


@pytest.mark.skipif(torch.cuda.is_available(), reason='float16 is for CUDA')
def test_float16_without_an_accelerator_is_refused_before_data_is_read(tmp_path: Path) -> None:
    cfg = toy_config(tmp_path, **{'optim_wrapper.type': 'AmpOptimWrapper'})
    with pytest.raises(UntrainableError, match=r"AmpOptimWrapper.*needs a GPU.*type='Bfloat16OptimWrapper'"):
        run_training(cfg)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='float16 with a loss scale needs CUDA; this machine has none')
@pytest.mark.parametrize('name', MODELS)
def test_trains_in_float16_on_cuda(name: str, tmp_path: Path) -> None:
    config = model_config(name, tmp_path)
    model = build(config).to('cuda')
    optim: Any = build_optim_wrapper(
        model, ConfigDict(type='AmpOptimWrapper', loss_scale=512.0, optimizer=dict(type='AdamW', lr=1e-3))
    )
    for _ in range(3):
        logged = model.train_step(raw_batch((3, 0), queue=config.get('queue_length', 1)), optim)
        assert all(value.isfinite() for value in logged.values())
