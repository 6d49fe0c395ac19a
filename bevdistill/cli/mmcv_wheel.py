"""Build mmcv with its operators, once per Python, torch, mmcv and platform, and install it. Standard library only."""

import os
import re
import shutil
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from .process import SetupError, ask, say

SHIPPED = Path(__file__).resolve().parents[1] / '.mim'
FACTS = ('import sys, sysconfig, torch, torch.utils.cpp_extension as build; print(f"cp3{sys.version_info[1]}-torch'
         '{torch.__version__}", sysconfig.get_path("include"), *build.include_paths(), sep="|")')
# Of mmcv the operators alone: the package imports what may not be installed yet.
INSTALLED = """
import importlib.metadata, importlib.util, torch
mmcv = importlib.metadata.distribution('mmcv')
file = next(file for file in mmcv.files if file.name.startswith('_ext.'))
importlib.util.module_from_spec(importlib.util.spec_from_file_location('_ext', file.locate()))
print(mmcv.version)
"""

# Parsing torch's headers is three quarters of the work of each file, hence the precompiled header, which GCC
# takes if it was compiled with just these flags; CFLAGS replace CPython's own ones. -g0: a wheel of 1.3 MB, not 32.
FLAGS = ('-O2', '-DNDEBUG', '-fPIC', '-w', '-g0')
DEFINES = ('-DTORCH_API_INCLUDE_EXTENSION_H', '-DTORCH_EXTENSION_NAME=_ext')
# mmcv asks for C++17, behind all other flags; torch's headers want C++20 from 2.15.
WRAPPER = '#!/bin/sh\nfor a; do shift; [ "$a" = -std=c++17 ] && a={}; set -- "$@" "$a"; done\nexec {} "$@"\n'


def cache_folder() -> Path:
    """Return where compiled packages are kept for all checkouts and environments of a user."""
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache').expanduser().resolve() / 'bevdistill'


def read_pins(lock: str) -> dict[str, str]:
    """Return a package's lines of versions, one for each range of Pythons, and of hashes, by its name."""
    pins: dict[str, str] = {}
    for pin in re.finditer(r'^([\w.-]+)==(?:.*\\\n)*.*', lock, re.MULTILINE):
        pins[pin[1]] = '\n'.join(filter(None, [pins.get(pin[1]), pin[0]]))
    return pins


def install_mmcv(run: Callable[..., None], python: Path, pin: str, cache: Path, tools: str = '') -> bool:
    """Have mmcv with operators of the CPU that import: those that are there, from the cache, or compiled here.

    Args:
        run: Runs a command, given what it does, its words, and environment variables by name.
        python: Interpreter of the environment.
        pin: Line of the version and lines of hashes, as in the lock.
        cache: Folder that keeps the wheel.
        tools: Pins of what the build needs, to be had for it alone; by default the environment has it.

    Returns:
        Whether it was installed; ``False`` if it was there.
    """
    version, done = pin.split()[0].partition('==')[2], False
    torch, *includes = ask(python, '-c', FACTS).split('|')
    if not includes:
        raise SetupError(f'torch, for which mmcv is compiled, does not import in {python.parents[1]}',
                         'Install it ("pip install torch==2.13.0"), then run the same command again')
    folder = cache / 'wheels' / f'{torch}-mmcv{version}-cpu-{sysconfig.get_platform().replace("-", "_")}'
    wheels, built = list(folder.glob('mmcv-*.whl')), False
    while ask(python, '-c', INSTALLED) != version:
        if built:
            shutil.rmtree(folder)
            raise SetupError("mmcv's operators do not import although just built",
                             f'See why: {python} -c "import mmcv._ext"')
        if not wheels:
            say(f'compiling mmcv {version} with its operators (under three minutes on two cores)')
            wheels, built = [build_wheel(run, python, includes, pin, folder, tools)], True
        words = ['-m', 'pip', 'install', '--no-input', '--no-compile', '--no-deps', '--force-reinstall']
        run('installing mmcv', python, *words, wheels.pop())
        done = True
    return done


def find_compiler() -> str:
    """Find the C++ compiler, ``CXX`` or one of the usual names."""
    names = [os.environ['CXX']] if os.environ.get('CXX') else ['c++', 'g++', 'clang++']
    compiler = next((name for name in names if shutil.which(name.split()[0])), None)
    if not compiler:
        raise SetupError(f"no C++ compiler for mmcv's operators found (tried {', '.join(names)})",
                         'Install one (Debian: apt-get install g++ python3-dev), then run the same command again')
    return compiler


def build_wheel(run: Callable[..., None], python: Path, includes: list[str], pin: str, folder: Path,
                tools: str = '') -> Path:
    """Compile mmcv, pinned as in requirements, with its operators for CPUs alone; its folder appears whole or not."""
    compiler = find_compiler()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.partial-', dir=folder.parent) as name:
        scratch = Path(name)
        own = {  # Without the environment's ninja on the path torch compiles one file at a time.
            'PYTHONPATH': f'{SHIPPED / "tools" / "older_exec"}:{scratch / "tools"}',
            'PATH': f'{scratch / "tools" / "bin"}:{python.parent}:{os.environ["PATH"]}',
        }
        source = fetch_source(run, python, pin, tools, scratch, own)
        join_entry_points(source)
        cxx, flags = precompile_header(run, compiler, includes, scratch)
        command = 'pip wheel --no-input --no-cache-dir --no-build-isolation --no-deps --verbose --wheel-dir'
        run('building mmcv', python, '-m', *command.split(), scratch / 'wheels', source,
            MMCV_WITH_OPS='1', FORCE_CUDA='0', CUDA_VISIBLE_DEVICES='', CXX=str(cxx), CFLAGS=flags,
            MAX_JOBS=os.environ.get('MAX_JOBS') or str(os.cpu_count()), **own)
        shutil.rmtree(folder, ignore_errors=True)
        (scratch / 'wheels').rename(folder)
    return next(folder.glob('mmcv-*.whl'))


def fetch_source(run: Callable[..., None], python: Path, pin: str, tools: str, scratch: Path,
                 own: dict[str, str]) -> Path:
    """Fetch the source that the pin's hash names, and the build's tools if they are asked for; returns its folder."""
    (asked := scratch / 'mmcv.txt').write_text(pin, encoding='utf-8')
    (lines := scratch / 'tools.txt').write_text(tools, encoding='utf-8')
    pip = (python, '-m', 'pip')
    locked = ('--no-input', '--no-deps', '--require-hashes', '--requirement')
    if tools:
        run("installing the build's tools", *pip, 'install', '--target', scratch / 'tools', *locked, lines)
    # Its setup.py tells the version, for which it needs torch and the tools.
    run('fetching mmcv', *pip, 'download', '--no-build-isolation', '--dest', scratch / 'source', *locked, asked, **own)
    shutil.unpack_archive(next((scratch / 'source').glob('mmcv-*.tar.gz')), scratch / 'source')
    return next(path for path in (scratch / 'source').iterdir() if path.is_dir())


def join_entry_points(source: Path) -> None:
    """Have mmcv's 56 files of entry points compiled as one, in 15 s instead of 170: nearly all is torch's templates."""
    folder = source / 'mmcv' / 'ops' / 'csrc' / 'pytorch'
    files = [file for file in sorted(folder.glob('*.cpp')) if file.name != 'pybind.cpp']
    for file in files:
        file.rename(file.with_suffix('.inc'))
    lines = (f'#include "{file.stem}.inc"\n' for file in files)
    (folder / 'entry_points.cpp').write_text(''.join(lines), encoding='utf-8')


def precompile_header(
    run: Callable[..., None], compiler: str, includes: list[str], scratch: Path
) -> tuple[Path, str]:
    """Precompile torch's header; returns the compiler that takes it, and the flags with which it does."""
    newer = any('C++20 or' in file.read_text(encoding='utf-8')
                for path in includes for file in Path(path).glob('ATen/ATen.h'))  # fmt: skip
    script = WRAPPER.format('-std=c++20' if newer else '-std=c++17', compiler)
    (cxx := scratch / 'c++').write_text(script, encoding='utf-8')
    cxx.chmod(0o755)
    (header := scratch / 'pch.hpp').write_text('#include <torch/types.h>\n', encoding='utf-8')
    run("precompiling torch's header", cxx, '-std=c++17', *FLAGS, *DEFINES, *(f'-I{path}' for path in includes),
        '-x', 'c++-header', header, '-o', f'{header}.gch')
    return cxx, f'{" ".join(FLAGS)} -include {header}'
