"""Fixtures of the tests of the evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bevdistill.datasets.infos import read_infos


@pytest.fixture(scope='session')
def records(synthetic_infos: Path) -> list[dict[str, Any]]:
    return list(read_infos(synthetic_infos / 'nuscenes_infos_val.msgpack.gz')['data_list'])
