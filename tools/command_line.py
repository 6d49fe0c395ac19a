"""What the command lines of the tools share. Imports nothing heavy at the top, so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config


def make_parser(doc: str | None, examples: str) -> argparse.ArgumentParser:
    """A parser whose help begins with the tool's docstring and ends with examples, as they are written."""
    return argparse.ArgumentParser(
        description=doc, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )


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


def add_run(parser: argparse.ArgumentParser, holds: str) -> None:
    """Add what every run of a config has: ``--work-dir``, ``--cfg-options``, ``--launcher``."""
    parser.add_argument('--work-dir', metavar='DIR', help=f'folder of {holds}')
    add_overrides(parser)
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        default='none',
        help='what started the processes of this run: pytorch is torchrun (default: none)',
    )


def add_samples(parser: argparse.ArgumentParser, by: str, **options: object) -> None:
    """Add ``--num`` samples spread evenly, or certain ones by the option `by`."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--num', type=positive, default=4, metavar='N', help='samples, spread evenly (default: 4)')
    which.add_argument(by, nargs='+', default=[], help='these samples', **options)


def positive(word: str) -> int:
    """A whole number from 1 on, for ``type=`` of an argument."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {number}')
    return number


def spread(count: int, total: int) -> list[int]:
    """Indices of `count` of `total` samples, each in the middle of its equal part."""
    count = min(count, total)
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


def config_of(args: argparse.Namespace) -> Config:
    """The config that a command line asks for: its file, overrides, and for a run its work dir and launcher."""
    from bevdistill.engine.launch import load_config
    from bevdistill.engine.overrides import parse_overrides

    run = {key: getattr(args, key) for key in ('work_dir', 'launcher') if hasattr(args, key)}
    return load_config(args.config, parse_overrides(args.cfg_options), **run)


@contextmanager
def mistakes_in_words(tool: str, *kinds: type[Exception]) -> Iterator[None]:
    """Say a mistake of the user in one line and leave with status 1, without a traceback.

    Args:
        tool: Name that the line begins with.
        *kinds: What is a mistake of the user and not of the program; by default a missing file and a wrong value.
    """
    mistakes = kinds or (FileNotFoundError, ValueError)
    try:
        yield
    except mistakes as error:
        sys.exit(f'{tool}: error: {error}')
