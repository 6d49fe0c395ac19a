"""Toy runs without mmengine's slow extras, none of which is under test."""

from __future__ import annotations

import mmengine.runner.runner
import pytest
from mmengine.config import Config


@pytest.fixture(autouse=True)
def _quick_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    # Asking compilers for their version, and formatting the config at each checkpoint, cost half a second each.
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: repr(cfg.to_dict())))
