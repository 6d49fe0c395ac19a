"""The project's own environment, ``.venv``: made, or what an earlier call left completed, and stamped at the end."""

import fcntl
import hashlib
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from tempfile import gettempdir

from .mmcv_wheel import build_wheel
from .process import SetupError, ask, run, say

IMPORTS = ('mmengine.runner', 'mmcv.ops', 'mmdet.models', 'mmdet3d.models', 'mmdet3d.datasets', 'mmdet3d.evaluation',
           'nuscenes.nuscenes', 'nuscenes.eval.detection.evaluate', 'numba', 'bevdistill')
FACTS = """
import sysconfig, torch, torch.utils.cpp_extension as build
cuda = torch.cuda.is_available() and (torch.version.cuda or torch.version.hip) or ''
print(torch.__version__, cuda, sysconfig.get_path('include'), *build.include_paths(), sep='|')
"""


class Venv:
    """``.venv`` of one checkout, with a folder outside of it for wheels and logs."""

    def __init__(self, repo: Path, cache: Path) -> None:
        self.repo, self.cache, self.folder, self.hold = repo, cache, repo / '.venv', -1
        self.python, self.stamp = self.folder / 'bin' / 'python', self.folder / 'bevdistill-stamp'
        self.site = self.folder / 'lib' / 'python3.11' / 'site-packages'
        lock, asked = (repo.joinpath('requirements', name).read_text() for name in ('lock.txt', 'lock.in'))
        # Each package with its line of version and its lines of hashes; torch has none of these (see lock.in).
        self.pins = {pin[1]: pin[0] for pin in re.finditer(r'^([\w.-]+)==(?:.*\\\n)*.*', lock, re.MULTILINE)}
        self.torch = re.findall(r'^torch==\S+', asked, re.MULTILINE)[0]
        project = (repo / 'pyproject.toml').read_text().partition('[tool.')[0]
        self.key = hashlib.sha256('\0'.join([self.torch, lock, project, str(self.folder)]).encode()).hexdigest()

    def installed(self) -> set[str]:
        """Packages and their versions, read off the folder names, so that no interpreter has to start."""
        return {folder.stem for folder in self.site.glob('*.dist-info')}

    def complete(self) -> bool:
        """Tell whether everything is there and nothing has changed since."""
        key, *packages = self.stamp.read_text().splitlines() if self.stamp.is_file() else ['']
        return key == self.key and os.access(self.python, os.X_OK) and set(packages) <= self.installed()

    def ensure(self, base: Path | None) -> Path:
        """Return the interpreter of a complete environment, made (from a base, if given) or repaired if need be."""
        if not self.complete():
            self.hold = os.open(self.repo, os.O_RDONLY)  # a folder is a lock that leaves no file
            try:
                fcntl.flock(self.hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say('another set-up works in this checkout; waiting for its end')
                fcntl.flock(self.hold, fcntl.LOCK_EX)
            if not self.complete():
                self.build(base)
            os.close(self.hold)
        return self.python

    def build(self, base: Path | None) -> None:
        """Complete what is there; if the outcome does not import, start over from nothing, once."""
        self.stamp.unlink(missing_ok=True)
        fresh = not self.usable()
        if fresh:
            self.make(base)
        try:
            self.fill()
        except SetupError as error:
            if fresh or 'importing' not in str(error):
                raise
            say(f'{error}; .venv is made anew', error.excerpt)
            shutil.rmtree(self.folder)
            return self.build(base)
        aside = self.stamp.with_suffix('.partial')
        aside.write_text('\n'.join([self.key, *sorted(self.installed())]))
        aside.rename(self.stamp)

    def usable(self) -> bool:
        """Drop packages whose installation was cut off, and tell whether ``.venv`` runs and was made in this place."""
        whole = {file.parent for file in self.site.glob('*.dist-info/RECORD')}
        for torn in set(self.site.glob('*.dist-info')) - whole:
            shutil.rmtree(torn)
        script = self.folder / 'bin' / 'activate'
        return (script.is_file() and str(self.folder) in script.read_text() and self.python.exists()
                and ask(self.python, '-c', 'import sys, pip; print(*sys.version_info[:2])') == '3 11')

    def make(self, base: Path | None) -> None:
        """Make an empty environment of Python 3.11."""
        for where, needed in ((self.repo, 4), (Path(gettempdir()), 1)):  # GB: 3.1 and 0.6 were used
            free = shutil.disk_usage(where).free / 2**30
            if free < needed:
                raise SetupError(f'no room on the disk: {free:.1f} GB free at {where}, set-up needs {needed} GB',
                                 'Free some (for temporary files TMPDIR may name another folder), then run again')
        say('making .venv (3 to 8 minutes on two cores; later calls take no time)')
        shutil.rmtree(self.folder, ignore_errors=True)
        log = self.cache / 'logs' / 'venv.log'
        run('making .venv', [base or sys.executable, '-m', 'venv', self.folder], log, self.hold)

    def fill(self) -> None:
        """Install all that is missing: packages by uv (seconds; by pip minutes), torch, mmcv, the checkout in place."""
        (uv := self.folder / 'uv.txt').write_text(self.pins['uv'])
        rest = self.folder / 'lock.txt'
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
        say(f'2/4 installing {self.torch}')
        self.pip('torch', self.torch)  # from the plain index with CUDA's libraries
        self.run('importing torch', self.python, '-c', 'import torch')
        self.install_mmcv(self.pins['mmcv'].split()[0].partition('==')[2])
        say('4/4 installing bevdistill in place and trying all imports')
        self.pip('bevdistill', '--no-deps', '--no-build-isolation', '--config-settings', 'editable_mode=compat',
                 '--editable', self.repo)
        self.run('importing the packages', self.python, '-W', 'ignore', '-c', 'import ' + ', '.join(IMPORTS),
                 PYTHONDONTWRITEBYTECODE='')  # each later process starts 20 s faster with the bytecode on the disk

    def install_mmcv(self, version: str) -> None:
        """Have mmcv with operators that import: those that are there, from the cache, or compiled here."""
        torch, cuda, *includes = ask(self.python, '-c', FACTS).split('|')
        machine = ('cuda' + cuda if cuda else 'cpu') + '-' + sysconfig.get_platform().replace('-', '_')
        folder = self.cache / 'wheels' / f'cp311-torch{torch}-mmcv{version}-{machine}'
        wheels, built = list(folder.glob('mmcv-*.whl')), False
        while f'mmcv-{version}' not in self.installed() or not ask(self.python, '-c', 'import mmcv._ext; print(1)'):
            if built:
                shutil.rmtree(folder)
                raise SetupError("mmcv's operators do not import although just built", f'See {self.folder}/logs')
            if not wheels:
                say(f'3/4 compiling mmcv {version} with its operators (two to four minutes on two cores)')
                wheels, built = [build_wheel(self.run, self.python, includes, cuda, self.pins['mmcv'], folder)], True
            self.pip('mmcv', '--no-deps', '--force-reinstall', wheels.pop())

    def run(self, what: str, *command: str | Path, **env: str) -> None:
        """Run a command with its log in the environment."""
        run(what, command, self.folder / 'logs' / f'{what.replace(" ", "-")}.log', self.hold, **env)

    def pip(self, what: str, *arguments: str | Path) -> None:
        """Install by pip; bytecode is left to the first import, which needs a part of it."""
        self.run(f'installing {what}', self.python, '-m', *['pip', 'install', '--no-input', '--no-compile'], *arguments)
