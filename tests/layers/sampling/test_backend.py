"""Which backend samples the tensors of a device."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch

from bevdistill.layers.sampling import backend, backend_of, lists_of, use_backend


def on(device):
    """What a tensor of a device tells; `meta` and `cpu` are the only devices that every torch has."""
    return SimpleNamespace(device=torch.device(device))


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch):
    monkeypatch.delenv(backend.VARIABLE, raising=False)


def test_each_device_has_one(monkeypatch):
    monkeypatch.setattr(backend, '_has_triton', lambda: True)
    assert [backend_of(on(device)) for device in ('cpu', 'cuda', 'mps')] == ['host', 'triton', 'reference']
    assert [lists_of(on(device)) for device in ('cpu', 'cuda', 'mps')] == ['seen', 'all', 'seen']


def test_without_triton_torch_samples_and_says_so_once(monkeypatch, logged):
    def missing(name):
        raise ImportError(f'no module {name}')

    monkeypatch.setattr(backend, 'import_module', missing)
    # Other tests may leave the logger as a run or a documentation generator has set it.
    logger = logging.getLogger('mmengine')
    monkeypatch.setattr(logger, 'disabled', False)
    level, records = logger.level, logged(logger)
    logger.setLevel(logging.WARNING)
    backend._has_triton.cache_clear()
    try:
        assert [backend_of(on('cuda')) for _ in range(2)] == ['reference'] * 2
    finally:
        logger.setLevel(level)
        backend._has_triton.cache_clear()
    assert [record.getMessage().count('pip install triton') for record in records] == [1]


def test_the_variable_chooses(monkeypatch):
    monkeypatch.setenv(backend.VARIABLE, 'mmcv')
    monkeypatch.setattr(backend, 'mmcv_has_cuda', lambda: False)
    with pytest.raises(ValueError, match='this mmcv was built without CUDA operators'):
        backend_of(on('cuda'))
    monkeypatch.setattr(backend, 'mmcv_has_cuda', lambda: True)
    assert backend_of(on('cuda')) == 'mmcv' and lists_of(on('cuda')) == 'padded'
    assert backend_of(on('cpu')) == 'host', 'it is for accelerators'
    with pytest.raises(ValueError, match="BEVDISTILL_SAMPLING='mmcv': tensors on mps are sampled by one of reference"):
        backend_of(on('mps'))
    monkeypatch.setenv(backend.VARIABLE, 'cuda')
    with pytest.raises(ValueError, match='tensors on cuda are sampled by one of triton, mmcv, reference'):
        backend_of(on('cuda'))


def test_a_context_overrules_and_ends():
    with use_backend('reference'):
        assert backend_of(on('cpu')) == 'reference'
    assert backend_of(on('cpu')) == 'host'
    message = "no sampling backend 'cuda'; there are host, triton, reference, mmcv"
    with pytest.raises(ValueError, match=message), use_backend('cuda'):
        pass
