"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config


def add_overrides(parser: argparse.ArgumentParser, whose: str = 'the config') -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help=f'override entries of {whose}; a key that does not exist is an error',
    )


def positive(word: str) -> int:
    """Read a whole number from 1 on, for ``type=`` of an argument."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {number}')
    return number


def config_of(args: argparse.Namespace) -> Config:
    """Load the config that a command line names, with its overrides."""
    from ..engine.launch import load_config
    from ..engine.overrides import parse_overrides

    return load_config(args.config, parse_overrides(args.cfg_options))
