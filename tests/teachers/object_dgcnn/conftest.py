"""The registry scope that a Runner sets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mmengine.registry import DefaultScope, init_default_scope


@pytest.fixture(scope='module', autouse=True)
def _scope() -> Iterator[None]:
    """mmengine builds data preprocessors in the scope that a Runner sets."""
    before = DefaultScope.get_current_instance()
    init_default_scope('mmdet3d')
    yield
    if before is not None:
        init_default_scope(before.scope_name)
