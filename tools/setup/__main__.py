"""``python -m tools.setup``: have an environment and print the path of its interpreter, alone on standard output."""

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .environment import Venv
from .process import SetupError, ask, say

REPO = Path(__file__).resolve().parents[2]


def main(argv: list[str] | None = None) -> int:
    """Parse, choose, report; returns the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tools.setup', description=__doc__)
    parser.add_argument('--python', default='', help='an interpreter that has everything, or the base for .venv')
    parser.add_argument('--extras', default=(), nargs='*', help='extras of pyproject.toml that the caller needs')
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache').expanduser().resolve() / 'bevdistill'
    try:
        print(choose(Venv(REPO, cache), options.python, options.extras, os.environ))
    except SetupError as error:
        say(f'error: {error}', error.excerpt)
        return 1
    except KeyboardInterrupt:
        say('interrupted; the same command goes on from here')
        return 130
    return 0


def choose(venv: Venv, named: str, extras: Sequence[str], env: Mapping[str, str]) -> Path:
    """Choose an interpreter: the one named by ``PYTHON=`` or the active environment's if it fits, else ``.venv``'s."""
    prefix = env.get('VIRTUAL_ENV') or env.get('CONDA_PREFIX')
    given = Path(prefix, 'bin', 'python') if prefix else venv.python
    if named:
        found = shutil.which(os.path.expanduser(named))
        if not found:
            raise SetupError(f'PYTHON={named} is no program', 'Give the path of an interpreter, or leave PYTHON out')
        given = Path(os.path.abspath(found))
    if given == venv.python or not given.exists():
        return venv.ensure(None)
    fault = unfit(given, venv, extras, strict=bool(named))
    if not fault:
        return given
    say(f'{"PYTHON=" if named else "the active environment "}{given} is not used as it is: {fault}')
    return venv.ensure(given if named else None)


def unfit(python: Path, venv: Venv, extras: Sequence[str], strict: bool) -> str:
    """Say why an environment cannot be used as it is; where it is named (strict) and no base for .venv, raise it."""
    answer = ask(python, Path(__file__).with_name('probe.py'), venv.repo / 'pyproject.toml', ' '.join(extras),
                 venv.cache / 'environments')
    if not answer.startswith('{'):
        return 'it does not run'
    facts = json.loads(answer)
    faults = facts['faults']
    if strict and faults and not {'no torch', 'no mmcv'} & set(faults):
        raise SetupError(f'{python} does not do: {", ".join(faults)}', facts['remedy'])
    return ', '.join(faults[:4]) + f' and {len(faults) - 4} more' * (len(faults) > 4)


if __name__ == '__main__':
    sys.exit(main())
