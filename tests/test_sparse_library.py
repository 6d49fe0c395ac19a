"""Which package of sparse convolutions is asked for, and spconv-triton under the name that mmdet3d imports."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from mmdet3d.models.layers import spconv as spconv_layers

from bevdistill import sparse_library
from bevdistill.sparse_library import fault, package_for, provide_spconv


@pytest.mark.parametrize(('cuda', 'hip', 'package'), [
    (None, None, 'spconv==2.3.8'),
    ('12.0', None, 'spconv-cu120'), ('12.1', None, 'spconv-cu121'), ('12.3', None, 'spconv-cu121'),
    ('12.4', None, 'spconv-cu124'), ('12.6', None, 'spconv-cu126'), ('12.8', None, 'spconv-triton'),
    ('13.0', None, 'spconv-triton'), ('11.8', None, 'spconv-triton'), (None, '6.4', 'spconv-triton'),
])  # fmt: skip
def test_package(cuda, hip, package):
    assert package_for(cuda, hip) == package


@pytest.fixture
def machine(monkeypatch):
    """Set up what is installed and whether there is a GPU."""

    def make(library: str | None, gpu: bool, cuda: str | None = '13.0', cpu_build: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
        monkeypatch.setattr(torch.version, 'cuda', cuda)
        monkeypatch.setattr(spconv_layers, 'IS_SPCONV2_AVAILABLE', library is not None)
        modules = {
            'spconv.pytorch': SimpleNamespace(__name__=f'{library}.pytorch'),
            'spconv.cppconstants': SimpleNamespace(CPU_ONLY_BUILD=cpu_build),
        }
        monkeypatch.setattr(sparse_library.importlib, 'import_module', modules.__getitem__)
        monkeypatch.setattr(sparse_library, '_exists', lambda name: name == library)

    return make


def test_nothing_is_missing(machine):
    for library, gpu, cpu_build in (('spconv', True, False), ('spconv', False, True), ('spconv_triton', True, False)):
        machine(library, gpu, cpu_build=cpu_build)
        assert fault() is None


@pytest.mark.parametrize(('setting', 'message'), [
    ((None, True), r'spconv 2\.x cannot be imported here: `pip install spconv-triton`$'),
    ((None, True, '12.4'), r'`pip install spconv-cu124`$'),
    ((None, False), r'`pip install spconv==2\.3\.8` \(CPU build: forward pass only\)$'),
    (('spconv_triton', False), 'no kernels for a CPU, and torch sees no GPU: `pip install spconv=='),
    (('spconv', True, '12.6', True), 'CPU build, and torch uses a GPU: .*uninstall spconv`, .* install spconv-cu126'),
])  # fmt: skip
def test_one_line_says_what_is_missing(machine, setting, message):
    machine(*setting)
    said = fault()
    assert said is not None and '\n' not in said
    with pytest.raises(ImportError, match=message):
        raise ImportError(said)


def test_imported_too_late(machine, monkeypatch):
    machine(None, True)
    monkeypatch.setattr(sparse_library, '_exists', lambda name: name == 'spconv_triton')
    assert '`import bevdistill` first' in str(fault())


def test_spconv_triton_takes_the_name(monkeypatch, tmp_path):
    """Only where spconv itself is not installed; with a version that mmdet3d takes."""
    package = tmp_path / 'spconv_triton'
    (package / 'pytorch').mkdir(parents=True)
    (package / '__init__.py').write_text("__version__ = '1.0.0'\nSPCONV_VERSION_NUMBERS = [2, 3, 8]\n")
    (package / 'pytorch' / '__init__.py').write_text('class SubMConv3d: ...\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] == 'spconv'}
    try:
        exists = {'spconv': True, 'spconv_triton': True}
        monkeypatch.setattr(sparse_library, '_exists', exists.__getitem__)
        provide_spconv()
        assert 'spconv' not in sys.modules
        exists['spconv'] = False
        provide_spconv()
        import spconv
        from spconv.pytorch import SubMConv3d

        assert isinstance(spconv, ModuleType) and spconv.__version__ >= '2.0.0'
        assert SubMConv3d.__module__ == 'spconv_triton.pytorch'
    finally:
        for name in list(sys.modules):
            if name.split('.')[0] in ('spconv', 'spconv_triton'):
                del sys.modules[name]
        sys.modules.update(before)
