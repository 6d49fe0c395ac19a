"""What the machine must offer before the work starts: room on the disk and a C++ compiler that finds Python.h."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from .messages import SetupError

GIGABYTE = 1 << 30
# Measured for the CPU build of torch: 2.2 GB in .venv, 0.6 GB in temporary folders while mmcv compiles.
NEEDED = 4 * GIGABYTE
NEEDED_TEMPORARY = 1 * GIGABYTE
COMPILERS = ('c++', 'g++', 'clang++')
ADVICE_COMPILER = 'Install one (Debian: apt-get install g++ make python3.11-dev), then run the same command again'


def check_disk(folder: Path, usage: Callable = shutil.disk_usage) -> None:
    """Check that there is room for the environment.

    Raises:
        SetupError: when less is free than a fresh set-up takes.
    """
    for where, needed in ((folder, NEEDED), (Path(tempfile.gettempdir()), NEEDED_TEMPORARY)):
        free = usage(where).free
        if free < needed:
            raise SetupError(
                f'no room on the disk: {free / GIGABYTE:.1f} GB free at {where}, set-up needs {needed >> 30} GB',
                'Free some, or set TMPDIR to a folder with room' if where != folder else 'Free some, then run again')


def find_compiler(env: Mapping[str, str] = os.environ, which: Callable = shutil.which) -> str:
    """Find the C++ compiler: ``CXX`` if set, else the first of c++, g++, clang++.

    Raises:
        SetupError: when there is none.
    """
    names = (env['CXX'],) if env.get('CXX') else COMPILERS
    for name in names:
        if which(name.split()[0]):
            return name
    raise SetupError(f'no C++ compiler found (tried {", ".join(names)}); mmcv\'s operators have to be compiled',
                     ADVICE_COMPILER)


def check_compiler(compiler: str, include: Path) -> None:
    """Compile three lines against CPython's headers.

    Args:
        compiler: What `find_compiler` found.
        include: Folder that should hold ``Python.h``.

    Raises:
        SetupError: when it does not compile; quotes the compiler's first error.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, 'probe.cpp')
        source.write_text('#include <optional>\n#include <Python.h>\nstd::optional<int> probe() { return 1; }\n')
        command = [*compiler.split(), '-std=c++17', '-fsyntax-only', f'-I{include}', str(source)]
        result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if 'error' in line] or ['no message']
        raise SetupError(f'{compiler} does not compile C++17 against CPython\'s headers in {include}: {lines[0]}',
                         ADVICE_COMPILER)


def include_folder(python: Path) -> Path:
    """Folder of an interpreter's ``Python.h``."""
    code = 'import sysconfig; print(sysconfig.get_paths()["include"])'
    return Path(subprocess.run([str(python), '-c', code], capture_output=True, text=True, check=True).stdout.strip())
