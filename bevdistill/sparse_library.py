"""Which package computes sparse convolutions here: spconv, or spconv-triton under its name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

CPU_PACKAGE = 'spconv==2.3.8'
TRITON_PACKAGE = 'spconv-triton'
BUILDS = (((12, 6), (12, 8), 'spconv-cu126'), ((12, 4), (12, 6), 'spconv-cu124'), ((12, 1), (12, 4), 'spconv-cu121'),
          ((12, 0), (12, 1), 'spconv-cu120'))  # fmt: skip
"""Published builds: from which version of CUDA, up to which, name. Newer CUDA has none."""


def provide_spconv() -> None:
    """Let ``import spconv`` find spconv-triton where spconv itself is not installed.

    mmdet3d looks for spconv while it is imported, so this has to come before.
    """
    if 'spconv' in sys.modules or _exists('spconv') or not _exists('spconv_triton'):
        return
    library = importlib.import_module('spconv_triton')
    module = ModuleType('spconv', 'spconv-triton under the name that mmdet3d imports')
    # Of the spconv whose interface it has; mmdet3d reads it.
    module.__version__ = '.'.join(map(str, library.SPCONV_VERSION_NUMBERS))  # type: ignore[attr-defined]
    module.__path__ = []
    module.pytorch = importlib.import_module('spconv_triton.pytorch')  # type: ignore[attr-defined]
    sys.modules.update({'spconv': module, 'spconv.pytorch': module.pytorch})


def package_for(cuda: str | None, hip: str | None = None) -> str:
    """Name the package for a build of torch, given ``torch.version.cuda`` and ``torch.version.hip``."""
    if cuda is None:
        return CPU_PACKAGE if hip is None else TRITON_PACKAGE
    version = tuple(int(part) for part in cuda.split('.')[:2])
    return next((name for first, end, name in BUILDS if first <= version < end), TRITON_PACKAGE)


def fault() -> str | None:
    """Say what keeps sparse convolutions from running on this machine, and what to install; None: nothing."""
    import torch
    from mmdet3d.models.layers.spconv import IS_SPCONV2_AVAILABLE

    gpu = torch.cuda.is_available()
    wanted = package_for(torch.version.cuda, torch.version.hip) if gpu else CPU_PACKAGE
    advice = f'`pip install {wanted}`' + ('' if gpu else ' (CPU build: forward pass only)')
    if not IS_SPCONV2_AVAILABLE:
        if _exists('spconv_triton'):
            return 'mmdet3d was imported before bevdistill and did not find spconv-triton: `import bevdistill` first'
        return f'spconv 2.x cannot be imported here: {advice}'
    by_triton = importlib.import_module('spconv.pytorch').__name__.startswith('spconv_triton')
    if by_triton and not gpu:
        return f'spconv-triton has no kernels for a CPU, and torch sees no GPU: {advice}'
    if gpu and not by_triton and importlib.import_module('spconv.cppconstants').CPU_ONLY_BUILD:
        return f'the installed spconv is the CPU build, and torch uses a GPU: `pip uninstall spconv`, then {advice}'
    return None


def _exists(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
