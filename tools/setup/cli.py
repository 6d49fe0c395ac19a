"""``python tools/setup``: have an environment, and print its interpreter's path as the only line of standard output."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from .interpreters import active_environment, inspect, operator_fault, python_candidates, version_faults
from .messages import SetupError, say
from .pins import read_ranges
from .venv import Venv

REPO = Path(__file__).resolve().parents[2]


def main(argv: list[str] | None = None) -> int:
    """Parse, choose, report; returns the exit status."""
    parser = argparse.ArgumentParser(prog='python tools/setup', description=__doc__)
    parser.add_argument('--python', default='', help='an interpreter that has everything, or the base for .venv')
    parser.add_argument('--extras', default=(), nargs='*', help='extras of setup.py that the caller needs')
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        print(choose(REPO, options.python, tuple(options.extras), os.environ, cache_folder(os.environ)))
    except SetupError as error:
        if error.excerpt:
            print(error.excerpt, file=sys.stderr)
        say(f'error: {error}')
        return 1
    except KeyboardInterrupt:
        say('interrupted; the same command goes on from here')
        return 130
    return 0


def cache_folder(env: Mapping[str, str]) -> Path:
    """Where things are kept that outlive a checkout."""
    base = env.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base).expanduser().resolve() / 'bevdistill'


def choose(repo: Path, named: str, extras: tuple[str, ...], env: Mapping[str, str], cache: Path) -> Path:
    """Choose the interpreter: the named one or the active environment's if it has everything, else ``.venv``'s.

    Args:
        repo: The checkout.
        named: Value of ``PYTHON=``, possibly empty.
        extras: Extras of setup.py that are needed.
        env: Environment variables.
        cache: The project's cache folder.

    Raises:
        SetupError: for all that the user can put right.
    """
    venv = Venv(repo, cache / 'wheels')
    ranges = read_ranges(repo / 'setup.py', extras)
    explicit = locate(named) if named else None
    active = None if explicit else active_environment(env, venv.folder)
    given = explicit or active
    if given and given != venv.python:
        fault = unfit(given, ranges, cache / 'environments', strict=bool(explicit))
        if not fault:
            return given
        say(f'{"PYTHON=" if explicit else "the active environment "}{given} is not used as it is: {fault}')
    base = None if explicit == venv.python else explicit
    return venv.ensure(base, python_candidates(sys.executable, active=active))


def locate(named: str) -> Path:
    """Find the interpreter that the user named: a path or a command.

    Raises:
        SetupError: when there is no such thing.
    """
    found = shutil.which(os.path.expanduser(named))
    if not found:
        raise SetupError(f'PYTHON={named} is no program', 'Give the path of a Python interpreter, or leave PYTHON out')
    return Path(os.path.abspath(found))


def unfit(path: Path, ranges: Mapping[str, str], memory: Path, strict: bool) -> str:
    """Say why an environment cannot be used as it is; empty when it can.

    Args:
        path: Its interpreter.
        ranges: What it must have.
        memory: Folder for remembered checks of mmcv's operators.
        strict: The user named it. One that holds torch and mmcv is then meant to be used, so its faults are errors
            and no reason to build another.

    Raises:
        SetupError: in the strict case.
    """
    found = inspect(path)
    if not found:
        return 'it does not run'
    faults = version_faults(found, ranges)
    meant = strict and {'torch', 'mmcv'} <= set(found.packages)
    if faults:
        if meant:
            raise SetupError(f'{path} lacks what bevdistill needs: {", ".join(faults)}',
                             'Install these there (ranges and reasons: setup.py), or leave PYTHON out to get a .venv')
        return ', '.join(faults[:4]) + (f' and {len(faults) - 4} more' if len(faults) > 4 else '')
    fault = operator_fault(found, memory)
    if fault and meant:
        raise fault
    return str(fault) if fault else ''
