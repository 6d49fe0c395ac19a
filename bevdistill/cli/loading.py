"""Read the config of a command, and say what is being loaded."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config


def say(text: str) -> None:
    """Print a line about progress on stderr; only the first process of a run does."""
    rank = os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or '0'
    if rank == '0':
        print(text, file=sys.stderr, flush=True)


def config_of(args: argparse.Namespace) -> Config:
    """Read the config of a command line with its overrides."""
    from bevdistill.engine.launch import load_config
    from bevdistill.engine.overrides import parse_overrides

    return load_config(args.config, parse_overrides(args.cfg_options))
