"""The project's own environment, ``.venv``: made, or what an earlier call left completed, and stamped at the end."""

import fcntl
import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import gettempdir

from bevdistill.cli.mmcv_wheel import install_mmcv, read_pins
from bevdistill.cli.process import SetupError, ask, run, say
from bevdistill.engine.nvidia import driver_version

IMPORTS = 'mmcv.ops, mmdet3d.models, mmdet3d.datasets, mmdet3d.evaluation, nuscenes.eval.detection.evaluate'
VERSION = 'import sys; print(*sys.version_info[:2], sep=".")'


class Venv:
    """An environment with what a lock lists, ``.venv`` of a checkout by default, logs in it, wheels outside of it."""

    def __init__(self, repo: Path, cache: Path, folder: Path | None = None, lock: str = '') -> None:
        self.repo, self.cache, self.folder, self.hold = repo, cache, folder or repo / '.venv', -1
        self.python, self.stamp = self.folder / 'bin' / 'python', self.folder / 'bevdistill-stamp'
        # torch has no hashes in the shipped lock (see lock.in) and is installed apart.
        self.torch = '' if lock else re.findall(r'^torch=\S+', (repo / 'requirements' / 'lock.in').read_text(), re.M)[0]
        lock = lock or (repo / 'requirements' / 'lock.txt').read_text()
        self.pins = read_pins(lock)
        project = (repo / 'pyproject.toml').read_text().partition('[tool.')[0]
        self.key = hashlib.sha256('\0'.join([self.torch, lock, project, str(self.folder)]).encode()).hexdigest()

    @property
    def site(self) -> Path:
        """Where its packages are; which Python it has is seen by the folder's name."""
        return next(self.folder.glob('lib/python3.*/site-packages'), self.folder / 'lib' / 'python' / 'site-packages')

    def installed(self) -> set[str]:
        """Packages and their versions, read off the folder names, so that no interpreter has to start."""
        return {folder.stem for folder in self.site.glob('*.dist-info')}

    def complete(self, base: Path | None = None) -> bool:
        """Tell whether everything is there, nothing has changed since, and it has the Python of a base, if given."""
        key, *packages = self.stamp.read_text().splitlines() if self.stamp.is_file() else ['']
        there = key == self.key and os.access(self.python, os.X_OK) and set(packages) <= self.installed()
        blind = any('+cpu' in name for name in packages if name.startswith('torch-')) and driver_version()
        return there and not blind and (not base or self.site.parent.name == f'python{ask(base, "-c", VERSION)}')

    def ensure(self, base: Path | None) -> Path:
        """Return the interpreter of a complete environment, made (from a base, if given) or repaired if need be."""
        if not self.complete(base):
            self.hold = os.open(self.repo, os.O_RDONLY)  # a folder is a lock that leaves no file
            try:
                fcntl.flock(self.hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say('another set-up works in this checkout; waiting for its end')
                fcntl.flock(self.hold, fcntl.LOCK_EX)
            if not self.complete(base):
                self.build(base)
            os.close(self.hold)
        return self.python

    def build(self, base: Path | None) -> None:
        """Complete what is there; if the outcome does not import, start over from nothing, once."""
        self.stamp.unlink(missing_ok=True)
        for fresh in (not self.usable(base), True):
            if fresh:
                self.make(base)
            try:
                self.fill()
                break
            except SetupError as error:
                if fresh or 'importing' not in str(error):
                    raise
                say(f'{error}; it is made anew', error.excerpt)
        self.stamp.write_text('\n'.join([self.key, *sorted(self.installed())]))

    def usable(self, base: Path | None = None) -> bool:
        """Drop packages whose installation was cut off, and tell whether it runs, was made here and of this base."""
        whole = {file.parent for file in self.site.glob('*.dist-info/RECORD')}
        for torn in set(self.site.glob('*.dist-info')) - whole:
            shutil.rmtree(torn)
        script = self.folder / 'bin' / 'activate'
        return (script.is_file() and str(self.folder) in script.read_text() and self.python.exists()
                and ask(self.python, '-c', f'import pip; {VERSION}') == ask(base or self.python, '-c', VERSION) != '')

    def make(self, base: Path | None) -> None:
        """Make an empty environment of the base's Python, or of the one that runs."""
        for where, needed in ((self.repo, 4), (Path(gettempdir()), 1)):  # GB: 3.1 and 0.6 were used
            free = shutil.disk_usage(where).free / 2**30
            if free < needed:
                raise SetupError(f'no room on the disk: {free:.1f} GB free at {where}, set-up needs {needed} GB',
                                 'Free some (for temporary files TMPDIR may name another folder), then run again')
        say(f'making {self.folder.name} (3 to 8 minutes on two cores; later calls take no time)')
        shutil.rmtree(self.folder, ignore_errors=True)
        self.run('making .venv', base or sys.executable, '-m', 'venv', self.folder)

    def fill(self) -> None:
        """Install all that is missing: packages by uv (seconds; by pip minutes), torch, mmcv, the checkout in place."""
        uv, rest = self.folder / 'uv.txt', self.folder / 'lock.txt'
        uv.write_text(self.pins['uv'])
        rest.write_text('\n'.join(pin for name, pin in self.pins.items() if name not in ('mmcv', 'uv')))
        locked = ('--no-deps', '--require-hashes', '--requirement')
        say(f'1/4 installing {len(self.pins)} pinned packages')
        try:
            self.pip('uv', *locked, uv)
            self.run('installing packages by uv', self.folder / 'bin' / 'uv', 'pip', 'install', '--python', self.python,
                     '--build-constraints', rest, *locked, rest)
        except SetupError as error:
            say(f'{error} (pip goes on alone, which takes minutes longer)')
            self.pip('packages', *locked, rest)
        if self.torch:
            self.install_torch()
        self.run('importing torch', self.python, '-c', 'import torch')
        say('3/4 installing mmcv with its operators')
        install_mmcv(self.run, self.python, self.pins['mmcv'], self.cache)
        say('4/4 installing bevdistill in place and trying all imports')
        self.pip('bevdistill', '--no-deps', '--no-build-isolation', '--config-settings', 'editable_mode=compat',
                 '--editable', self.repo)
        self.run('importing the packages', self.python, '-W', 'ignore', '-c', f'import {IMPORTS}, bevdistill',
                 PYTHONDONTWRITEBYTECODE='')  # each later process starts 20 s faster with the bytecode on the disk

    def install_torch(self) -> None:
        """Install the build of torch that the machine's driver can run; without a driver the one that pip finds."""
        driver, uv = driver_version(), self.folder / 'bin' / 'uv'
        major = int(driver.partition('.')[0] or 999)
        if major < 525:  # CUDA 13 runs from 580, CUDA 12 from 525
            raise SetupError(f"NVIDIA's driver {driver} is too old: CUDA 12.6, the oldest of this torch, needs 525",
                             'Have it updated, or set CUDA_VISIBLE_DEVICES= (empty) to work on the CPU')
        words = ['--torch-backend', 'cu126'] if major < 580 else []  # pyproject.toml has uv leave CUDA's libraries out
        say(f'2/4 installing {self.torch}' + f' for the driver {driver}' * bool(driver))
        if words or (driver and uv.exists()):
            self.run('installing torch', uv, 'pip', 'install', '--no-config', '--python', self.python,
                     '--reinstall-package', 'torch', *words, self.torch)
        else:
            self.pip('torch', self.torch)

    def run(self, what: str, *command: str | Path, **env: str) -> None:
        """Run a command with its log in the environment."""
        run(what, command, self.folder / 'logs' / f'{what.replace(" ", "-")}.log', self.hold, **env)

    def pip(self, what: str, *arguments: str | Path) -> None:
        """Install by pip; bytecode is left to the first import, which needs a part of it."""
        self.run(f'installing {what}', self.python, '-m', *['pip', 'install', '--no-input', '--no-compile'], *arguments)
