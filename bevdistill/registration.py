"""Make the modules of this package known to mmdet3d's registries, each registry when it is first asked.

mmengine's registries have a list of locations, modules that are imported before the first look-up. Ours are added to
those of mmdet3d's registries, so ``import bevdistill`` costs milliseconds, and a config with
``custom_imports = dict(imports=['bevdistill'])`` finds every class.

Note:
    A script may import this package first, then mmengine, and then load a config: nothing of this package runs between
    that config and the first look-up, and importing mmdet3d here would cost every command the seconds of torch. So
    where mmdet3d's registries are not there yet, a finder in ``sys.meta_path`` waits for their import, adds the
    locations and removes itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from .sparse_library import provide_spconv

PACKAGE = __name__.partition('.')[0]
REGISTRIES = 'mmdet3d.registry'
LOCATIONS = {
    'DATASETS': ('datasets.partly_labelled', 'datasets.seeded_index', 'datasets.sequence_dataset'),
    'DATA_SAMPLERS': ('datasets.labelled_ratio_sampler', 'datasets.samplers', 'datasets.seeded_index'),
    'HOOKS': (
        'checkpoints.atomic_backend', 'checkpoints.identity_hook', 'checkpoints.inert_loader', 'checkpoints.plain_hook',
        'checkpoints.safe_hook', 'engine.hooks', 'visualization.hook',
    ),
    'METRICS': ('evaluation.detection_metric', 'evaluation.keyframe_ap', 'evaluation.nuscenes_metric'),
    'MODELS': (
        'datasets.preprocessor', 'layers', 'detection', 'students', 'teachers', 'losses', 'distillers', 'teacher_cache',
    ),
    'MODEL_WRAPPERS': ('distributed.wrappers',),
    'OPTIM_WRAPPERS': ('engine.optim',),
    'OPTIM_WRAPPER_CONSTRUCTORS': ('engine.optim',),
    'TASK_UTILS': ('detection',),
    'TRANSFORMS': ('datasets.transforms', 'teacher_cache.transform'),
}  # fmt: skip
"""Modules of this package by the registry of mmdet3d that they register in."""


def register_all() -> None:
    """Import every module that registers something, at once: for programs that read the registries' tables directly."""
    for modules in LOCATIONS.values():
        for module in modules:
            importlib.import_module(f'{PACKAGE}.{module}')


def register_on_demand() -> None:
    """Let mmdet3d's registries import what they need of this package, now or as soon as they are imported."""
    if REGISTRIES in sys.modules:
        _add_locations(sys.modules[REGISTRIES])
    else:
        sys.meta_path.insert(0, _WaitForRegistries())


def _add_locations(registries: ModuleType) -> None:
    provide_spconv()
    for name, modules in LOCATIONS.items():
        registry = getattr(registries, name)
        registry._locations.extend(f'{PACKAGE}.{module}' for module in modules)
        registry._imported = False  # It may have been asked already.


class _WaitForRegistries(MetaPathFinder):
    """Leave finding to the others, and add our locations once mmdet3d's registries have been executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != REGISTRIES:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module: ModuleType) -> None:
                execute(module)
                _add_locations(module)

            spec.loader.exec_module = execute_and_add  # type: ignore[method-assign]
        return spec
