"""Session fixtures that spare the tests what libraries do and no test looks at; ``conftest.py`` takes them all.

They import what they need: pytest-xdist's first process reads this file, and runs no test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bevdistill.engine.nvidia import driver_version

REPO = Path(__file__).resolve().parents[1]


@cache
def has_gpu() -> bool:
    """Whether torch sees a GPU, which takes seconds to ask: not where there is no driver for one."""
    if not driver_version():
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True, scope='session')
def _data_sets_collect_no_garbage() -> Iterator[None]:
    """mmengine collects all garbage of the process for each data set, a third of a second with what tests leave."""
    from mmengine.dataset import base_dataset

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_dataset, 'gc', SimpleNamespace(collect=lambda: 0))
        yield


@pytest.fixture(autouse=True, scope='session')
def _the_machine_is_asked_once() -> Iterator[None]:
    """mmengine starts git and compilers for the log of each run, to tell what there is."""
    from mmengine.runner import runner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, 'collect_env', cache(runner.collect_env))
        yield


@pytest.fixture(autouse=True, scope='session')
def _absent_devices_are_not_seeded() -> Iterator[None]:
    """torch keeps the stack trace of each seeding, for each kind of device, until one is used: 2 ms a time."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        for kind in () if has_gpu() else (torch.cuda, torch.xpu, torch.mtia):
            patch.setattr(kind, 'manual_seed_all', lambda seed: None)
        yield


@pytest.fixture(autouse=True, scope='session')
def _first_weights_are_not_logged() -> Iterator[None]:
    """mmengine takes the mean of each weight again and again, to log for hundreds of them how they were initialised."""
    from mmengine.model import base_module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_module, 'update_init_info', lambda module, init_info: None)
        patch.setattr(base_module.BaseModule, '_dump_init_info', lambda module: None)
        yield


@pytest.fixture(autouse=True, scope='session')
def _disks_are_not_waited_for() -> Iterator[None]:
    """No test cuts the power; whether and when files are synced is asked in tests/checkpoints/test_whole_file.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, 'fsync', lambda handle: None)
        yield


@pytest.fixture(autouse=True, scope='session')
def _shipped_configs_are_parsed_once() -> Iterator[None]:
    """mmengine parses every base again for every config, a tenth of a second each time."""
    from mmengine.config import Config

    parse = Config._file2dict
    parsed: dict[tuple[object, ...], Any] = {}

    def parse_once(filename: str, *args: object, **options: object) -> Any:
        path = Path(filename).resolve()
        if not path.is_relative_to(REPO / 'configs') and not path.is_relative_to(REPO / 'projects'):
            return parse(filename, *args, **options)
        key = (str(filename), args, *sorted(options.items()))
        if key not in parsed:
            parsed[key] = parse(filename, *args, **options)
        return deepcopy(parsed[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, '_file2dict', staticmethod(parse_once))
        yield
