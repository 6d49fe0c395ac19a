"""Fixtures that every folder of tests shares.

They import what they need: pytest-xdist's first process reads this file, and runs no test.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from filelock import FileLock
from quick_libraries import (  # noqa: F401
    _absent_devices_are_not_seeded,
    _data_sets_collect_no_garbage,
    _disks_are_not_waited_for,
    _first_weights_are_not_logged,
    _shipped_configs_are_parsed_once,
    _the_machine_is_asked_once,
    has_gpu,
)

if TYPE_CHECKING:
    import torch


if not has_gpu():
    # Triton reads it when it is first imported, and when a kernel is defined.
    os.environ['TRITON_INTERPRET'] = '1'

# The default's collections of everything, one for each 70,000 new objects, take a twentieth of the tests' time.
gc.set_threshold(20_000, 10, 10)

REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / 'shared'

Golden = Callable[[str], tuple[dict[str, Any], dict[str, np.ndarray]]]


def pytest_collection_finish() -> None:
    """Take what is imported out of garbage collections."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    import torch

    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _own_message_hub() -> Iterator[None]:
    """What a runner of one test tells the process, such as its data's class names, is not heard in the next.

    Of one test, not of one module: which tests of a module a process runs, and in which order, is decided by the
    scheduler, which takes tests from the end of another process's list.
    """
    from mmengine.logging import MessageHub

    yield
    MessageHub._instance_dict.clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first, so that no process begins one when the others are through; a file stays together."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[[logging.Logger], list[logging.LogRecord]]:
    """``logged(logger)``: a list of what a logger is told from then on, in place of pytest's ``caplog``."""

    def listen(logger: logging.Logger) -> list[logging.LogRecord]:
        records: list[logging.LogRecord] = []
        handler = logging.Handler()
        monkeypatch.setattr(handler, 'emit', records.append)
        monkeypatch.setattr(logger, 'handlers', [*logger.handlers, handler])
        return records

    return listen


@pytest.fixture
def no_random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave weights as they were allocated: for models that are built, and not run."""
    import torch

    for draw in ('uniform_', 'normal_'):
        monkeypatch.setattr(torch.Tensor, draw, lambda weight, *args, **options: weight)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread, and no scope of mmengine's registries left behind: for tests that run a training in this process."""
    import torch
    from mmengine.registry import DefaultScope

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def golden() -> Golden:
    """Loader of recorded cases of the original modules: ``golden(case) -> (json, arrays)``."""
    folder = Path(os.environ.get('BEVDISTILL_GOLDEN', SHARED / 'golden'))

    def load(case: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        if not folder.is_dir():
            pytest.skip(f'no recorded outputs of the original modules at {folder.name}; set BEVDISTILL_GOLDEN')
        meta = json.loads((folder / f'{case}.json').read_text())
        arrays_file = folder / f'{case}.npz'
        arrays = dict(np.load(arrays_file)) if arrays_file.exists() else {}
        return meta, arrays

    return load


@pytest.fixture(scope='session')
def keyframe() -> Path:
    """Folder of one real nuScenes keyframe."""
    folder = Path(os.environ.get('BEVDISTILL_KEYFRAME', SHARED / 'nuscenes_keyframe'))
    if not folder.is_dir():
        pytest.skip('no real nuScenes keyframe; set BEVDISTILL_KEYFRAME to its folder')
    return folder


def _shared_folder(variable: str, name: str, what: str) -> Path:
    folder = Path(os.environ.get(variable, SHARED / name))
    if not folder.is_dir():
        pytest.skip(f'no {what}; set {variable} to their folder')
    return folder


@pytest.fixture(scope='session')
def keyframe_pair() -> Path:
    """Folder of two consecutive real nuScenes keyframes without LiDAR."""
    return _shared_folder('BEVDISTILL_KEYFRAME_PAIR', 'nuscenes_pair', 'two consecutive nuScenes keyframes')


@pytest.fixture(scope='session')
def dgp_scenes() -> Path:
    """Folder of two real drives that are not nuScenes."""
    return _shared_folder('BEVDISTILL_DGP', 'dgp_scenes', 'drives in the DGP format')


class OldConvention:
    """Box codes and boxes of mmdet3d < 1.0, which the recorded arrays hold, to and from today's convention.

    Sizes swap (w, l to l, w) and yaw_new = -yaw_old - pi / 2, so sin and cos swap with a sign. Each map is its own
    inverse.
    """

    @staticmethod
    def codes(codes: torch.Tensor) -> torch.Tensor:
        return codes[..., [0, 1, 3, 2, 4, 5, 7, 6, 8, 9]] * codes.new_tensor([1, 1, 1, 1, 1, 1, -1, -1, 1, 1])

    @staticmethod
    def boxes(boxes: torch.Tensor) -> torch.Tensor:
        boxes = boxes[..., [0, 1, 2, 4, 3, 5, 6, 7, 8]].clone()
        boxes[..., 6] = -boxes[..., 6] - math.pi / 2
        return boxes


@pytest.fixture(scope='session')
def old_convention() -> OldConvention:
    """Converter of recorded boxes and codes."""
    return OldConvention()


MadeOnce = Callable[[str, Sequence[str], Callable[[Path], object]], Path]


@pytest.fixture(scope='session')
def made_once(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> MadeOnce:
    """``made_once(name, rooms, make)``: a folder that ``make(path)`` makes, once for each state of the rooms' source.

    pytest-xdist's workers and later sessions share it; never write into it.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if hasattr(pytestconfig, 'workerinput') else shared
    shared = shared if pytestconfig.option.basetemp else shared.parent

    def folder_of(name: str, rooms: Sequence[str], make: Callable[[Path], object]) -> Path:
        source = hashlib.sha256()
        for room in rooms:
            for file in sorted((REPO / 'bevdistill' / room).rglob('*.py')):
                source.update(file.read_bytes())
        folder = shared / f'{name}-{source.hexdigest()[:16]}'
        with FileLock(f'{folder}.lock'):
            if not folder.exists():
                begun = Path(f'{folder}.begun')
                shutil.rmtree(begun, ignore_errors=True)
                make(begun)
                begun.rename(folder)
        return folder

    return folder_of


SyntheticRoots = Callable[[str], Path]


@pytest.fixture(scope='session')
def synthetic_roots(made_once: MadeOnce) -> SyntheticRoots:
    """Roots of the tiny synthetic nuScenes by version; never write into them."""
    from bevdistill.synthetic import make_dataset

    def make(root: Path, version: str) -> None:
        # Here, and not in processes that would each compile the same.
        make_dataset(root, 'tiny', version, seed=0, workers=1, progress=False)

    return lambda version: made_once(f'synthetic-{version}', ['synthetic'], lambda root: make(root, version))


@pytest.fixture(scope='session')
def synthetic_root(synthetic_roots: SyntheticRoots) -> Path:
    """A tiny synthetic nuScenes (v1.0-mini, 8 + 2 scenes of 3 keyframes, 9 sweeps each); never write into it."""
    return synthetic_roots('v1.0-mini')


@pytest.fixture(scope='session')
def synthetic_infos(synthetic_root: Path, made_once: MadeOnce) -> Path:
    """Folder of the synthetic root's information files, of train, val and trainval; give data sets absolute paths."""
    from bevdistill.datasets.infos import create_nuscenes_infos

    def make(folder: Path) -> None:
        folder.mkdir()
        create_nuscenes_infos(synthetic_root, 'v1.0-mini', folder)

    return made_once('infos', ['synthetic', 'structures', 'datasets'], make)
