"""Run a fast part of the tests at the ends of the supported versions, each end in an environment of its own.

``low`` has the oldest versions that ``pyproject.toml`` allows, on the oldest Python; ``high`` the registry's newest.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from bevdistill.cli.mmcv_wheel import cache_folder
from bevdistill.cli.process import SetupError, ask, say

from .setup.environment import Venv

REPO = Path(__file__).resolve().parents[1]
STACKS = dict(low=('3.11', 'lowest-direct'), high=('3.13', 'highest'))
SHOWN = """
import platform
from importlib.metadata import version
print('Python', platform.python_version(), *(f'{name} {version(name)}' for name in ('torch', 'numpy', 'pandas')))
"""
TESTS = ('tests/test_registration.py', 'tests/configs/test_configs.py', 'tests/configs/test_twins_run.py',
         'tests/layers/sampling/test_sampling.py')  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Make each environment and test it; returns 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog='python -m tools.stacks', description=__doc__)
    parser.add_argument('stack', nargs='*', help=f'{" or ".join(STACKS)}; both by default')
    names = parser.parse_args(argv).stack or list(STACKS)
    cache = cache_folder()
    failed = []
    for name in names:
        try:
            if name not in STACKS:
                raise SetupError(f'there is no stack {name!r}', f'Name {" or ".join(STACKS)}')
            good = run_tests(environment(name, cache))
        except SetupError as error:
            say(f'error: {error}', error.excerpt)
            good = False
        failed += [] if good else [name]
    say('stacks: ' + ', '.join(f'{name} {"failed" if name in failed else "passed"}' for name in names))
    return bool(failed)


def environment(name: str, cache: Path) -> Path:
    """Have the environment of a stack, in the cache; returns its interpreter.

    Raises:
        SetupError: If its Python is missing, or its versions cannot be resolved or installed.
    """
    version, resolution = STACKS[name]
    base = ask(sys.executable, '-m', 'uv', 'python', 'find', '--no-project', '--system', version)
    if not base:
        raise SetupError(f'stack {name} needs Python {version}, which uv does not find',
                         f'"uv python install {version}"; with pyenv set PYENV_VERSION to all that you have')
    folder = cache / 'stacks' / name
    return Venv(REPO, cache, folder, resolve(version, resolution, folder)).ensure(Path(base))


def resolve(version: str, resolution: str, folder: Path) -> str:
    """Resolve the ranges to a lock with hashes; torch is a part of it, and its build the registry's own.

    Raises:
        SetupError: If there is no solution, or no network.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    asked, lock = folder.with_suffix('.in'), folder.with_suffix('.lock')
    pins = (REPO / 'requirements' / 'lock.in').read_text()
    asked.write_text(re.sub(r'^(torch|numpy)\b.*\n', '', pins, flags=re.MULTILINE))
    done = subprocess.run(
        [sys.executable, '-m', 'uv', 'pip', 'compile', 'pyproject.toml', asked, '--all-extras', '--generate-hashes',
         '--quiet', '--python-version', version, '--resolution', resolution, '--upgrade', '--output-file', lock],
        cwd=REPO, capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        raise SetupError(f'uv finds no set of versions for Python {version}', 'See above', done.stderr)
    return lock.read_text()


def run_tests(python: Path) -> bool:
    """Run the tests by an interpreter and tell whether they passed."""
    subprocess.run([python, '-c', SHOWN])
    command = [str(python), '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *TESTS]
    return subprocess.run(command, cwd=REPO, env={**os.environ, 'OMP_NUM_THREADS': '1'}).returncode == 0


if __name__ == '__main__':
    sys.exit(main())
