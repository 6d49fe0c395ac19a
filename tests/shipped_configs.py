"""All shipped configs, each parsed once per session."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mmengine.config import Config

from bevdistill.cli.config_files import shipped_configs

REPO = Path(__file__).resolve().parents[1]
ALL = shipped_configs(REPO)


@cache
def load(file: Path) -> Config:
    """The config; for reading only."""
    return Config.fromfile(str(file), import_custom_modules=False)
