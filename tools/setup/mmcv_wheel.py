"""mmcv with its operators: built once per Python, torch, mmcv version and platform, kept outside the repository."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .machine import include_folder
from .messages import SetupError, say
from .process import Job, run

# Parsing torch's headers is three quarters of the work of each of the 77 files, hence the precompiled header. GCC takes
# it only if it was compiled with just these flags, and setuptools lets CFLAGS replace CPython's own ones. Without debug
# information the wheel is 1.3 MB instead of 32 MB.
FLAGS = ('-O2', '-DNDEBUG', '-fPIC', '-w', '-g0')
DEFINES = ('-std=c++17', '-DTORCH_API_INCLUDE_EXTENSION_H', '-DTORCH_EXTENSION_NAME=_ext')


class MmcvWheel:
    """The wheel that fits one environment.

    Args:
        python: Interpreter of the environment, with torch installed.
        version: Version of mmcv.
        torch: Version of torch with its local suffix, for example ``2.13.0+cpu``.
        cuda: Version of CUDA if a GPU is usable, else empty.
        cache: Folder of all wheels.
    """

    def __init__(self, python: Path, version: str, torch: str, cuda: str, cache: Path) -> None:
        self.python, self.version, self.cuda = python, version, cuda
        platform = sysconfig.get_platform().replace('-', '_')
        self.folder = cache / f'cp311-torch{torch}-mmcv{version}-{"cuda" + cuda if cuda else "cpu"}-{platform}'

    @property
    def cached(self) -> Path | None:
        """The finished wheel, if it was built before."""
        wheels = sorted(self.folder.glob('mmcv-*.whl'))
        return wheels[0] if wheels else None

    def forget(self) -> None:
        """Drop a wheel that turned out not to work."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def build_job(self, compiler: str, work: Path, log: Path, hold: Sequence[int] = ()) -> Job:
        """Start the compilation in the background; `keep` takes its result.

        Raises:
            SetupError: when there is a GPU but no nvcc to compile operators for it.
        """
        if self.cuda and not (shutil.which('nvcc') or os.environ.get('CUDA_HOME')):
            raise SetupError(
                f'a GPU is usable (CUDA {self.cuda}) but nvcc is missing, so mmcv\'s GPU operators cannot be built',
                'Activate an environment with torch and "mim install mmcv==2.1.0", set CUDA_HOME, or hide the GPU with '
                'CUDA_VISIBLE_DEVICES= to set up for the CPU')
        precompile(compiler, self.python, work, log, hold)
        env = {
            'MMCV_WITH_OPS': '1', 'CXX': compiler, 'CFLAGS': ' '.join((*FLAGS, '-include', str(work / 'pch.hpp'))),
            'MAX_JOBS': os.environ.get('MAX_JOBS', str(os.cpu_count() or 1)),
        }
        # pip's cache of built wheels knows nothing of torch's version: it must not answer here.
        command = [str(self.python), '-m', 'pip', 'wheel', '--no-input', '--no-cache-dir', '--no-build-isolation',
                   '--no-deps', '--verbose', '--wheel-dir', str(work / 'wheel'), f'mmcv=={self.version}']
        return Job(f'building mmcv {self.version}', command, log, env, hold)

    def keep(self, work: Path) -> Path:
        """Move a built wheel into the cache: written beside its place, then renamed, so none is ever half there."""
        built = next((work / 'wheel').glob('mmcv-*.whl'))
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix='.partial-', dir=self.folder.parent))
        shutil.copy2(built, aside)
        try:
            aside.rename(self.folder)
        except OSError:  # another set-up was faster
            shutil.rmtree(aside)
        if not self.cached:
            raise SetupError(f'the wheel could not be stored in {self.folder}', 'Remove that folder, then run again')
        return self.cached


def precompile(compiler: str, python: Path, work: Path, log: Path, hold: Sequence[int] = ()) -> None:
    """Compile torch's main header once. A failure costs speed only, so it is said and the build goes on."""
    work.mkdir(parents=True, exist_ok=True)
    header = work / 'pch.hpp'
    header.write_text('#include <torch/types.h>\n')
    torch = python.parent.parent / 'lib' / 'python3.11' / 'site-packages' / 'torch' / 'include'
    folders = (torch, torch / 'torch' / 'csrc' / 'api' / 'include', include_folder(python))
    command = [*compiler.split(), *FLAGS, *DEFINES, *(f'-I{folder}' for folder in folders),
               '-x', 'c++-header', str(header), '-o', f'{header}.gch']
    try:
        run(Job('precompiling torch\'s header', command, log.with_name('pch.log'), hold=hold))
    except SetupError as error:
        say(f'{error} (the build goes on without it and takes several times as long)')
