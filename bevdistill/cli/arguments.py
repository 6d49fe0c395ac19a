"""Define the arguments that several verbs share."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


def help_of(module: ModuleType) -> dict[str, Any]:
    """Options of a parser whose help begins with the module's docstring and ends with its examples."""
    return dict(
        description=module.__doc__,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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


def add_data(parser: argparse.ArgumentParser, whose: str = 'the config') -> None:
    """Add ``--data-root`` and ``--cfg-options``."""
    parser.add_argument('--data-root', metavar='DIR', help=f'data root in place of that of {whose}')
    add_overrides(parser, whose)


def add_run(parser: argparse.ArgumentParser, holds: str) -> None:
    """Add the arguments of every run: ``--work-dir``, ``--data-root``, ``--cfg-options``, ``--launcher``."""
    parser.add_argument('--work-dir', type=folder_name, metavar='DIR', help=f'folder of {holds}')
    add_data(parser)
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        default='none',
        help='what started the processes of this run: pytorch is torchrun (default: none)',
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, metavar='N', help='number of this process on its host, as '
        'python -m torch.distributed.launch passes it; torchrun sets LOCAL_RANK instead, which goes first',
    )  # fmt: skip


def add_samples(parser: argparse.ArgumentParser, by: str, **options: Any) -> None:
    """Add ``--num`` samples spread evenly, every one of some ``--interval``, or certain ones by the option `by`."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--num', type=positive, default=4, metavar='N', help='samples, spread evenly (default: 4)')
    which.add_argument('--interval', type=positive, metavar='N', help='every N-th sample, from the first on')
    which.add_argument(by, nargs='+', default=[], help='these samples', **options)


def folder(word: str) -> Path:
    """Read the name of a folder to write into, there or not, for ``type=`` of an argument."""
    path = Path(word)
    existing = next((part for part in (path, *path.parents) if part.exists()), None)
    if existing is not None and not existing.is_dir():
        raise argparse.ArgumentTypeError(f'{existing} is a file; name a folder')
    return path


def file_to_write(word: str, advice: str = 'name a file in it') -> Path:
    """Read the name of a file to write, there or not, for ``type=`` of an argument."""
    path = Path(word)
    if word.endswith(os.sep) or path.is_dir():
        raise argparse.ArgumentTypeError(f'{word} is a folder; {advice}')
    folder(str(path.parent))
    return path


def prefix(word: str) -> Path:
    """Read how the names of files to write begin, for ``type=`` of an argument."""
    return file_to_write(word, f'give the beginning of file names in it: {Path(word)}/table')


def folder_name(word: str) -> str:
    """Read the name of a folder as :func:`folder` does, and leave it as text."""
    folder(os.path.expanduser(word))
    return word


def whole(word: str) -> int:
    """Read a whole number from 0 to below 2^32, for ``type=`` of an argument."""
    number = int(word)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f'must be a whole number from 0 to below 2**32, got {number}')
    return number


def image_side(word: str) -> int:
    """Read a side of an image that a backbone can take, for ``type=`` of an argument."""
    side = int(word)
    if side < 32:
        raise argparse.ArgumentTypeError(f'must be at least 32, got {side}')
    return side


def positive(word: str) -> int:
    """Read a whole number from 1 on, for ``type=`` of an argument."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {number}')
    return number


def score(word: str) -> float:
    """Read a number from 0 to 1, for ``type=`` of an argument."""
    number = float(word)
    if not (math.isfinite(number) and 0 <= number <= 1):
        raise argparse.ArgumentTypeError(f'must lie in [0, 1], got {word}')
    return number


def from_zero(word: str) -> float:
    """Read a number from 0 on, for ``type=`` of an argument."""
    number = float(word)
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f'must be a number from 0 on, got {word}')
    return number


def above_zero(word: str) -> float:
    """Read a number above 0, for ``type=`` of an argument."""
    number = float(word)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f'must be a number above 0, got {word}')
    return number


def chosen(args: argparse.Namespace, total: int) -> list[int]:
    """Choose indices by ``--num`` or ``--interval`` of :func:`add_samples`."""
    return list(range(0, total, args.interval)) if args.interval else spread(args.num, total)


def spread(count: int, total: int) -> list[int]:
    """Choose `count` of `total` indices, each in the middle of its equal part."""
    count = min(count, total)
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


def require_folder(path: Path, option: str = '') -> None:
    """Check that a folder to read from is there; a verb does so before it loads what takes seconds.

    Raises:
        FileNotFoundError: If it is not; names the option.
    """
    if not path.expanduser().is_dir():
        raise FileNotFoundError(f'{option}: no folder {path}' if option else f'no folder {path}')


def require_there(path: Path) -> None:
    """Check that a file or folder to read from is there, as :func:`require_folder`.

    Raises:
        FileNotFoundError: If it is not.
    """
    if not path.exists():
        raise FileNotFoundError(f'no file or folder {path}')


def require_json(file: Path, option: str) -> None:
    """Check that a file to write ends in .json, so that no config or checkpoint is replaced by a slip.

    Raises:
        IsADirectoryError: If it is a folder.
        ValueError: If it ends in something else.
    """
    if file.is_dir():
        raise IsADirectoryError(f'{option} {file} is a folder; name a file in it, such as {file}/facts.json')
    if file.suffix.lower() != '.json':
        raise ValueError(f'{option} {file}: expected a file that ends in .json')


@contextmanager
def errors_of(option: str) -> Iterator[None]:
    """Put the option in front of the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{option}: {error}') from error
