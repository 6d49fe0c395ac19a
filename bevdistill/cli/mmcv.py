"""Compile mmcv with its operators for the torch of this environment, and install it there.

For today's torch mmcv comes as source alone, and pip compiles it in about 20 minutes on two cores. This takes 3, since
torch's headers are parsed once. The operators are those of CPUs; the package needs no others on a GPU either. The wheel
stays in ~/.cache/bevdistill (or in bevdistill of XDG_CACHE_HOME): the next environment with this torch takes seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

from . import process
from .mmcv_wheel import SHIPPED, cache_folder, install_mmcv, read_pins

HELP = "compile mmcv with its operators for this environment's torch, and install it"
EXAMPLES = """
examples:
  # from the wheel, in an environment with torch
  pip install --no-deps bevdistill-0.2.0-py3-none-any.whl
  bevdistill mmcv
  pip install bevdistill-0.2.0-py3-none-any.whl

  # where memory is short: one compiler at a time, of 0.6 GB each
  MAX_JOBS=1 bevdistill mmcv
"""
TOOLS = ('setuptools', 'wheel', 'ninja')  # mmcv's setup.py imports pkg_resources, which newer setuptools lack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the environment is that of the interpreter."""


def run(args: argparse.Namespace) -> None:
    """Have mmcv with its operators, and say so."""
    if not find_spec('pip'):
        raise process.SetupError(f'there is no pip in {sys.prefix}', 'With uv: "uv pip install pip"; then run it again')
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # The compilers end with this command, as on Ctrl-C.
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    pins = read_pins((SHIPPED / 'requirements' / 'lock.txt').read_text(encoding='utf-8'))
    hold = os.open(cache, os.O_RDONLY)

    def logged(what: str, *command: str | Path, **env: str) -> None:
        process.run(what, command, cache / 'logs' / f'{what.replace(" ", "-")}.log', hold, **env)

    try:
        new = install_mmcv(logged, Path(sys.executable), pins['mmcv'], cache, '\n'.join(pins[name] for name in TOOLS))
    except process.SetupError as error:
        print(error.excerpt, end='', file=sys.stderr)
        raise
    finally:
        os.close(hold)
    print(f'mmcv is {"installed" if new else "there"} with its operators, in {sys.prefix}')
