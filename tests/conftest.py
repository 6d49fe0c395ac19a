"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / 'shared'

Golden = Callable[[str], tuple[dict[str, Any], dict[str, np.ndarray]]]


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    torch.manual_seed(0)
    np.random.seed(0)


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
