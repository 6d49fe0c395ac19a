"""``python -m tools.setup``: have an environment and print the path of its interpreter, alone on standard output."""

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bevdistill.cli.mmcv_wheel import cache_folder
from bevdistill.cli.process import SetupError, ask, say

from .environment import Venv

REPO = Path(__file__).resolve().parents[2]


def main(argv: list[str] | None = None) -> int:
    """Parse, choose, report; returns the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tools.setup', description=__doc__)
    parser.add_argument('--python', default='', help='an interpreter that has everything, or the base for .venv')
    parser.add_argument('--extras', default=(), nargs='*', help='extras of pyproject.toml that the caller needs')
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        print(choose(Venv(REPO, cache_folder()), options.python, options.extras, os.environ))
    except SetupError as error:
        say(f'error: {error}', error.excerpt)
        return 1
    except KeyboardInterrupt:
        say('interrupted; the same command goes on from here')
        return 130
    return 0


def choose(venv: Venv, named: str, extras: Sequence[str], env: Mapping[str, str]) -> Path:
    """Choose an interpreter: the one named by ``PYTHON=`` or the active environment's if it fits, else ``.venv``'s.

    Faults of a named one are a `SetupError` if it holds torch and mmcv, or cannot be the base of ``.venv``.
    """
    prefix = env.get('VIRTUAL_ENV') or env.get('CONDA_PREFIX')
    given = Path(prefix, 'bin', 'python') if prefix else venv.python
    if named:
        given = Path(os.path.abspath(shutil.which(os.path.expanduser(named)) or named))
    if given == venv.python or not (named or given.exists()):
        return venv.ensure(None)
    answer = ask(given, Path(__file__).with_name('probe.py'), venv.repo / 'pyproject.toml', ' '.join(extras))
    faults, remedy = json.loads(answer) if answer.startswith('[') else (['it does not run'], 'Give the path of Python')
    if not faults:
        return given
    if named and not {'no torch', 'no mmcv'} & set(faults):
        raise SetupError(f'PYTHON={given} does not do: {", ".join(faults)}', remedy)
    shown = ', '.join(faults[:4]) + f' and {len(faults) - 4} more' * (len(faults) > 4)
    say(f'{"PYTHON=" if named else "the active environment "}{given} is not used as it is: {shown}')
    return venv.ensure(given if named else None)


if __name__ == '__main__':
    sys.exit(main())
