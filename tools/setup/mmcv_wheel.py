"""Build mmcv with its operators once per Python, torch, mmcv and platform, kept outside the repository."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .process import SetupError

# Parsing torch's headers is three quarters of the work of each of the 77 files, hence the precompiled header, which GCC
# takes if it was compiled with just these flags; CFLAGS replace CPython's own ones. -g0: a wheel of 1.3 MB, not 32.
FLAGS = ('-O2', '-DNDEBUG', '-fPIC', '-w', '-g0')
DEFINES = ('-DTORCH_API_INCLUDE_EXTENSION_H', '-DTORCH_EXTENSION_NAME=_ext')
# mmcv asks for C++17, behind all other flags; torch's headers want C++20 from 2.15.
WRAPPER = '#!/bin/sh\nfor a; do shift; [ "$a" = -std=c++17 ] && a={}; set -- "$@" "$a"; done\nexec {} "$@"\n'


def find_compiler() -> str:
    """Find the C++ compiler, ``CXX`` or one of the usual names."""
    names = [os.environ['CXX']] if os.environ.get('CXX') else ['c++', 'g++', 'clang++']
    compiler = next((name for name in names if shutil.which(name.split()[0])), None)
    if not compiler:
        raise SetupError(f"no C++ compiler for mmcv's operators found (tried {', '.join(names)})",
                         'Install one (Debian: apt-get install g++ python3-dev), then run the same command again')
    return compiler


def build_wheel(run: Callable[..., None], python: Path, includes: list[str], pin: str, folder: Path) -> Path:
    """Compile mmcv, pinned as in requirements, with its operators for CPUs alone; its folder appears whole or not."""
    compiler = find_compiler()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.partial-', dir=folder.parent) as scratch:
        header, requirement, wheels = Path(scratch, 'pch.hpp'), Path(scratch, 'mmcv.txt'), Path(scratch, 'wheels')
        header.write_text('#include <torch/types.h>\n')
        newer = any('C++20 or' in file.read_text() for path in includes for file in Path(path).glob('ATen/ATen.h'))
        (cxx := Path(scratch, 'c++')).write_text(WRAPPER.format('-std=c++20' if newer else '-std=c++17', compiler))
        cxx.chmod(0o755)
        requirement.write_text(pin)
        run("precompiling torch's header", cxx, '-std=c++17', *FLAGS, *DEFINES, *(f'-I{path}' for path in includes),
            '-x', 'c++-header', header, '-o', f'{header}.gch')
        # pip's cache of built wheels ignores torch's version. PATH: without the environment's ninja, file by file.
        command = 'pip wheel --no-input --no-cache-dir --no-build-isolation --no-deps --require-hashes --verbose'
        run('building mmcv', python, '-m', *command.split(), '--wheel-dir', wheels, '--requirement', requirement,
            MMCV_WITH_OPS='1', FORCE_CUDA='0', CUDA_VISIBLE_DEVICES='', CXX=str(cxx),
            CFLAGS=f'{" ".join(FLAGS)} -include {header}', MAX_JOBS=os.environ.get('MAX_JOBS') or str(os.cpu_count()),
            PYTHONPATH=str(Path(__file__).parents[1] / 'older_exec'), PATH=f'{python.parent}:{os.environ["PATH"]}')
        shutil.rmtree(folder, ignore_errors=True)
        wheels.rename(folder)
    return next(folder.glob('mmcv-*.whl'))
