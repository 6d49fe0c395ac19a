"""Read the config of a command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config


def config_of(args: argparse.Namespace) -> Config:
    """Read the config of a command line with its overrides."""
    from bevdistill.engine.launch import load_config
    from bevdistill.engine.overrides import parse_overrides

    return load_config(args.config, parse_overrides(args.cfg_options))
